"""One key for all tests, and a guard that fails every test whose output or log shows it."""

from collections.abc import Generator

import pytest

CANARY = "sk-canary-7f3a91c4d2"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Looks through what a test printed and logged, whatever its level, at the end of each of its phases."""
    report = yield
    shown = [name for name, text in report.sections if CANARY in text]
    if shown:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} shows the key of the language model in: {', '.join(shown)}"
    return report
