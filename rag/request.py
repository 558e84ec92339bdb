"""What is asked of a chat-completions endpoint, and how it is asked of one that takes less."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from rag.errors import ModelError
from rag.refusal import CURE, Refused
from rag.settings import BARE_CURE, bare_address

Mode = Literal["schema", "json", "text"]
LOWER: dict[Mode, Mode] = {"schema": "json", "json": "text", "text": "text"}

REFUSES_A_FIELD = {400, 404, 405, 415, 422, 501}
FORMAT = re.compile(r"response_format|json|grammar|structured|guided|schema")
STREAM = re.compile(r"\bstream(ed|ing|s)?\b")
FENCED = re.compile(r"\s*```\w*\n(.*)\n\s*```\s*", re.DOTALL)

AS_JSON = "Reply with one JSON object of this JSON schema and nothing else:\n"
AS_LINES = (
    "Do not write JSON. Write one sentence a line, each ending with the ids of its sources in square brackets, "
    "for example: Accuracy misleads on rare classes. [ABC-01] [ABC-02]"
)
REPAIR = "That was not JSON. Send the same reply again as one JSON object and nothing else."
REPAIR_FORM = "That was not in the form asked for. Send the same reply again in that form and nothing else."
REPAIR_CHARACTERS = 20_000
"""Of a reply that is sent back to be repaired."""
PROBE_SCHEMA = {
    "type": "object",
    "properties": {"wet": {"type": "boolean"}},
    "required": ["wet"],
    "additionalProperties": False,
}
TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool}


@dataclass(frozen=True)
class Form:
    """The fields an endpoint is known to take; `streams` is None until it has shown whether it does."""

    mode: Mode = "schema"
    streams: bool | None = None
    limit_name: str = "max_tokens"
    temperature: bool = True

    def lower(self) -> "Form":
        return replace(self, mode=LOWER[self.mode])


@dataclass(frozen=True)
class Ask:
    """What a reply is wanted to.

    `lines` wants lines instead of JSON where nothing better than text can be had; `fixed` wants this
    mode or nothing; `grammar` is GBNF, for llama.cpp.
    """

    messages: Sequence[Mapping[str, str]]
    tokens: int
    schema: Mapping[str, Any] | None = None
    stream: bool = False
    lines: bool = False
    fixed: bool = False
    grammar: str = ""

    def repaired(self, reply: str) -> "Ask":
        """The same with a reply that was not JSON sent back."""
        return replace(self, messages=sent_back(self.messages, reply, REPAIR))

    def body(self, model: str, form: Form) -> dict[str, Any]:
        """The fields of the request."""
        messages = [dict(message) for message in self.messages]
        body: dict[str, Any] = {"model": model, form.limit_name: self.tokens}
        if form.temperature:
            body["temperature"] = 0
        if self.schema is not None:
            schema = dict(self.schema)
            if form.mode == "schema":
                wanted = {"name": "claims", "strict": True, "schema": schema}
                body["response_format"] = {"type": "json_schema", "json_schema": wanted}
            elif form.mode == "text" and self.lines:
                messages = _instructed(messages, AS_LINES)
            else:
                messages = _instructed(messages, AS_JSON + json.dumps(schema))
            if form.mode == "json":
                body["response_format"] = {"type": "json_object"}
        if self.stream and form.streams is not False:
            body["stream"] = True
        if self.grammar:
            body["extra_body"] = {"grammar": self.grammar}
        return {**body, "messages": messages}

    def simpler(self, form: Form, refused: Refused) -> Form | None:
        """The form without what the endpoint refuses; None when it is not the form that it refuses."""
        said = refused.said
        if refused.status not in REFUSES_A_FIELD:
            return None
        if "max_completion_tokens" in said and form.limit_name == "max_tokens":
            return replace(form, limit_name="max_completion_tokens")
        if "temperature" in said and form.temperature:
            return replace(form, temperature=False)
        steps = self.schema is not None and not self.fixed and form.mode != "text"
        if steps and FORMAT.search(said):
            return form.lower()
        if self.stream and form.streams is not False and STREAM.search(said):
            return replace(form, streams=False)
        return form.lower() if steps and refused.status == 400 else None


_ASKED = [{"role": "user", "content": "Is water wet? Answer in a word or two."}]
PROBE = Ask(_ASKED, 500, stream=True)
PROBE_JSON = Ask(_ASKED, 500, PROBE_SCHEMA, fixed=True)
"""Tiny requests that show what an endpoint can do."""


def sent_back(messages: Sequence[Mapping[str, str]], reply: str, request: str) -> list[Mapping[str, str]]:
    """The messages with a reply to them, and the request to mend it."""
    wrong = {"role": "assistant", "content": reply[:REPAIR_CHARACTERS]}
    return [*messages, wrong, {"role": "user", "content": request}]


def _instructed(messages: list[dict[str, str]], instruction: str) -> list[dict[str, str]]:
    """The messages with an instruction at the end of the system message."""
    if messages and messages[0].get("role") == "system":
        first = {**messages[0], "content": f"{messages[0]['content']}\n\n{instruction}"}
        return [first, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


def unfenced(text: str) -> str:
    """JSON without the code fence some models put around it; anything else as it is."""
    inside = FENCED.fullmatch(text)
    return inside[1] if inside and _parses(inside[1]) else text


def is_json(text: str) -> bool:
    """Whether a reply is JSON, code fence or not."""
    return _parses(unfenced(text))


def fits(text: str, schema: Mapping[str, Any]) -> bool:
    """Whether a reply is JSON of the schema's shape: its types and the names it requires, code fence or not."""
    try:
        return _shaped(json.loads(unfenced(text)), schema)
    except (ValueError, RecursionError):
        return False


def _shaped(value: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, TYPES.get(schema.get("type", ""), object)):
        return False
    if isinstance(value, list):
        return all(_shaped(item, schema.get("items", {})) for item in value)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        named = all(name in value for name in schema.get("required", ()))
        return named and all(_shaped(item, known.get(name, {})) for name, item in value.items())
    return True


def check_address(address: str) -> None:
    """Passes an address that can be that of an endpoint.

    Raises:
        ModelError: it cannot; the address is not repeated, since it may hold a password.
    """
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not address.isprintable() or " " in address:
        cure = f"Set it to something like http://127.0.0.1:11434/v1. {CURE}"
        raise ModelError("OPENAI_BASE_URL is not the address of an endpoint.", cure)
    if not bare_address(address):
        raise ModelError("OPENAI_BASE_URL holds more than an address.", BARE_CURE)


def on_this_machine(address: str) -> bool:
    """Whether a URL names this machine itself, which no proxy can reach: to one, the name means another machine."""
    host = (urlsplit(address).hostname or "").rstrip(".")
    try:
        found = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return found.is_loopback or found.is_unspecified


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
