"""Any model behind an OpenAI-compatible chat-completions endpoint, through the openai package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rag.errors import ModelError

if TYPE_CHECKING:
    from openai import OpenAI

DEFAULT_MODEL = "gpt-4.1-mini"
CURE = "The quoted answer needs no model; `tutor doctor` tests the endpoint."


class OpenAIModel:
    """A `ChatModel`.

    Args:
        name: the model's name at the endpoint; empty takes the default at OpenAI, and the first
            model the endpoint lists elsewhere.
        api_key: sent as a bearer token; a local endpoint may need none.
        base_url: the endpoint, None for OpenAI's own.
        max_tokens: tokens of a reply at the most.
        first_byte_seconds: how long to wait for a reply to begin.
    """

    def __init__(
        self, name: str, api_key: str | None, base_url: str | None, max_tokens: int, first_byte_seconds: float
    ) -> None:
        self._name = name or ("" if base_url else DEFAULT_MODEL)
        self._api_key = api_key or "none"
        self._base_url = base_url
        self._max_tokens = max_tokens
        self._seconds = first_byte_seconds
        self._client: OpenAI | None = None

    @property
    def name(self) -> str:
        return self._name or "the endpoint's first model"

    def models(self) -> list[str]:
        """The names the endpoint lists.

        Raises:
            ModelError: the endpoint does not answer or refuses.
        """
        return list(self._guarded(lambda client: [model.id for model in client.models.list().data if model.id]))

    def complete_json(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> str:
        """The reply to `messages`, JSON text of the given schema where the endpoint keeps to it.

        Raises:
            ModelError: nothing usable came back; says what happened and what to do.
        """
        if not self._name:
            listed = self.models()
            if not listed:
                raise ModelError("The endpoint lists no model.", "Set TUTOR_MODEL to the model to use.")
            self._name = listed[0]
        form = {"type": "json_schema", "json_schema": {"name": "claims", "strict": True, "schema": dict(schema)}}

        def ask(client: OpenAI) -> Any:
            create: Any = client.chat.completions.create  # its overloads want literals, ours are values
            reply = create(
                model=self._name,
                messages=list(messages),
                response_format=form,
                max_tokens=self._max_tokens,
                temperature=0,
            )
            return self._content(reply)

        return str(self._guarded(ask))

    def _content(self, reply: Any) -> str:
        """The text of a reply, which may be of any shape: the client checks next to nothing."""
        choices = getattr(reply, "choices", None)
        if not choices:
            raise ModelError(f"{self.name} sent a reply without an answer in it.", CURE)
        if choices[0].finish_reason == "length":
            raise ModelError(
                f"The reply of {self.name} was cut off at {self._max_tokens} tokens.", "Raise TUTOR_ANSWER_TOKENS."
            )
        content = choices[0].message.content
        if not content:
            raise ModelError(f"{self.name} sent an empty reply.", CURE)
        return str(content)

    def _guarded(self, call: Any) -> Any:
        """Runs a call; whatever goes wrong on the way becomes one clear line."""
        import openai

        if self._client is None:
            timeout = openai.Timeout(self._seconds, connect=10.0)
            self._client = openai.OpenAI(api_key=self._api_key, base_url=self._base_url, timeout=timeout, max_retries=1)
        where = self._base_url or "OpenAI"
        try:
            return call(self._client)
        except openai.APITimeoutError:
            raise ModelError(f"{where} did not answer within {self._seconds:g} s.", CURE) from None
        except openai.APIConnectionError:
            raise ModelError(f"{where} cannot be reached.", f"Check OPENAI_BASE_URL and that it runs. {CURE}") from None
        except openai.AuthenticationError:
            raise ModelError(f"{where} refused the key.", "Check OPENAI_API_KEY.") from None
        except openai.NotFoundError:
            if not self._name:
                raise ModelError(
                    f"{where} lists no models: status 404.", f"Check OPENAI_BASE_URL, which usually ends in /v1. {CURE}"
                ) from None
            raise ModelError(
                f"{where} does not know the model {self.name}.", "Set TUTOR_MODEL, or check OPENAI_BASE_URL."
            ) from None
        except openai.RateLimitError:
            raise ModelError(f"{where} is over its rate limit or quota.", f"Try again later. {CURE}") from None
        except openai.APIStatusError as error:
            raise ModelError(f"{where} failed with status {error.status_code}.", CURE) from None
        except (openai.OpenAIError, ValueError, LookupError, AttributeError, TypeError):
            # The client lets raw parsing errors through for replies that are not of the protocol.
            raise ModelError(f"{where} sent something that is not a chat-completions reply.", CURE) from None
