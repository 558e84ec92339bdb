"""How the tests of the language model ask: the client with tiny waits, and what every failure must keep to."""

import traceback
from typing import Any, Literal

import pytest

from rag.errors import ModelError
from rag.llm import OpenAIModel
from tests.canary import CANARY

KEY = CANARY
SCHEMA = {"type": "object", "properties": {"claims": {"type": "array"}}, "required": ["claims"]}
MESSAGES = [{"role": "system", "content": "Cite."}, {"role": "user", "content": "Why is the loss NaN?"}]
QUOTED = "The quoted answer needs no model; `tutor doctor` tests the endpoint."
Way = Literal["stream", "whole"]
WAYS: tuple[Way, ...] = ("stream", "whole")


def the_model(url: str | None, name: str = "small", key: str | None = KEY, **options: Any) -> OpenAIModel:
    """A client that is patient with a busy machine but never retries, unless told otherwise."""
    chosen = {"first_byte_seconds": 10.0, "between_bytes_seconds": 10.0, "retries": 0, "backoff_seconds": 0.001}
    return OpenAIModel(name, key, url, 321, **{**chosen, **options})


def ask(model: OpenAIModel, way: Way) -> str:
    if way == "whole":
        return model.complete_json(MESSAGES, SCHEMA)
    return "".join(model.stream_json(MESSAGES, SCHEMA))


def failing(url: str, way: Way = "whole", **options: Any) -> ModelError:
    """The error of asking this endpoint: one short line and a cure, the key and what was sent nowhere in it."""
    with pytest.raises(ModelError) as caught:
        ask(the_model(url, **options), way)
    error = caught.value
    seen = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert KEY not in seen
    assert error.__cause__ is None
    assert len(str(error).splitlines()) == 1
    assert len(error.message) < 120
    assert error.cure
    assert "OPENAI_" in error.cure or "TUTOR_" in error.cure or "`tutor doctor`" in error.cure
    return error
