"""What an endpoint's refusal means: whether it may pass, how long to wait, and what the user can do."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from math import isfinite
from time import time
from typing import Any
from urllib.parse import urlsplit

from rag.errors import ModelError

CURE = "The quoted answer needs no model; `tutor doctor` tests the endpoint."
ADDRESS = f"Check OPENAI_BASE_URL, which usually ends in /v1. {CURE}"
REFUSAL_BYTES = 64_000
LONGEST_RETRY_AFTER = 10.0
"""Seconds a user is made to wait because an endpoint asks for it."""
PASSING = {408, 409, 429}
"""Refusals that may pass by themselves, as may all from 500 on."""
TELLING = {"message", "msg", "param", "code", "type", "detail", "error", "loc"}
"""Where a refusal says what it is about; other fields may repeat the question."""


class Passing(ModelError):
    """A failure that may pass by itself; `wait` is how many seconds the endpoint asks to wait."""

    def __init__(self, message: str, cure: str, wait: float | None = None) -> None:
        super().__init__(message, cure)
        self.wait = wait


class Silent(ModelError):
    """The endpoint stopped sending. Not passing: the user has waited long enough."""


class Refused(Exception):
    """The endpoint answered with a status that is not success; `said` is what about, in lower case."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.said = ""


def read_refusal(refused: Refused, chunks: Iterable[bytes]) -> None:
    """Notes what the body of a refusal says, as far as it is short and can be read."""
    body = b""
    with suppress(Exception):
        for chunk in chunks:
            body += chunk
            if len(body) > REFUSAL_BYTES:
                break
    refused.said = _said(body[:REFUSAL_BYTES])


def _said(body: bytes) -> str:
    try:
        found = list(_telling(json.loads(body), told=False))
    except (ValueError, RecursionError):
        found = [body[:2000].decode("utf-8", "replace")]
    return " ".join(found).lower()


def _telling(value: Any, *, told: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in TELLING:
                yield from _telling(inner, told=True)
    elif isinstance(value, list):
        for inner in value:
            yield from _telling(inner, told=told)
    elif told and value is not None:
        yield str(value)


def explained(refused: Refused, where: str, model: str) -> ModelError:
    """What a refusal means to the user, and what to do about it; `model` is empty for the list of models."""
    status, said = refused.status, refused.said
    if status == 429 and "quota" in said:
        return ModelError(
            f"{where} says that the quota is used up.", f"Check the account behind OPENAI_API_KEY. {CURE}"
        )
    message, cure = _message(refused, where, model)
    if status not in PASSING and status < 500:
        return ModelError(message, cure)
    wait = retry_after(refused.headers)
    if wait is not None and wait > LONGEST_RETRY_AFTER:
        return ModelError(f"{message[:-1]} and asks to wait {wait:.0f} s.", f"Ask again in {_span(wait)}. {CURE}")
    if refused.headers.get("x-should-retry") == "false":
        return ModelError(message, cure)
    return Passing(message, cure, wait)


def _message(refused: Refused, where: str, model: str) -> tuple[str, str]:
    status, said = refused.status, refused.said
    if 300 <= status < 400:
        target = urlsplit(refused.headers.get("location", "")).netloc.rpartition("@")[2][:100]
        return f"{where} redirects to {target or 'another address'}.", f"Set OPENAI_BASE_URL to that address. {CURE}"
    if status in {401, 407}:
        return f"{where} refused the key.", "Check OPENAI_API_KEY."
    if status == 403:
        return f"{where} does not allow this.", f"Check what OPENAI_API_KEY may use, and TUTOR_MODEL. {CURE}"
    if status == 402:
        return f"{where} wants to be paid first.", f"Check the account behind OPENAI_API_KEY. {CURE}"
    if status in {404, 405} and not model:
        return f"{where} lists no models: status {status}.", f"{ADDRESS}"
    if status == 404:
        return f"{where} does not know the model {model}.", "Set TUTOR_MODEL, or check OPENAI_BASE_URL."
    if status == 405:
        return f"{where} takes no chat completions at this address.", ADDRESS
    if status == 413 or "context_length" in said or "context length" in said or "context size" in said:
        return f"The question and its sources are too long for {model} at {where}.", f"Lower TUTOR_SOURCES. {CURE}"
    if status == 429:
        return f"{where} is over its rate limit.", f"Try again in a minute. {CURE}"
    if status in {503, 529}:
        return f"{where} is overloaded or still starting (status {status}).", f"Try again in a minute. {CURE}"
    return f"{where} failed with status {status}.", CURE


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds an endpoint asks to wait; None when it does not say so in a way one can follow."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(ValueError):
            seconds = float(headers.get(name, "")) * unit
            if isfinite(seconds) and seconds >= 0:
                return seconds
    with suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time())
    return None


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
