"""Settings: `TUTOR_*` environment variables over `tutor.toml` over the defaults.

Loaded at the doors and passed down as values. The language model is configured as everywhere in
this field: `OPENAI_API_KEY`, `OPENAI_BASE_URL`, and `TUTOR_MODEL`.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from rag.errors import SettingsError

PROJECT = Path(__file__).resolve().parents[1]
FILE_NAME = "tutor.toml"
PREFIX = "TUTOR_"


def default_home() -> Path:
    """The per-user data folder of this machine."""
    from platformdirs import user_data_path

    return user_data_path("ml-interview-tutor", appauthor=False)


def _folder(value: object) -> Path:
    """A blank path would silently mean the current folder."""
    if not str(value).strip():
        raise ValueError("must not be blank")
    return Path(str(value)).expanduser()


Folder = Annotated[Path, BeforeValidator(_folder)]


def bare_address(address: str) -> bool:
    """Whether a URL is an address and nothing else: addresses are logged, so none may carry a password or a key."""
    try:
        return "@" not in urlsplit(address).netloc and not set("?#") & set(address)
    except ValueError:  # what cannot be taken apart cannot be searched for secrets either
        return False


def _address(value: str | None) -> str | None:
    if value is not None and not bare_address(value):
        raise ValueError("must be an address without a user name, a password, or anything after ? or #")
    return value


Address = Annotated[str | None, AfterValidator(_address)]


class Settings(BaseModel):
    """All settings there are. Each is `TUTOR_` and its name in capitals in the environment."""

    # The address may hold a password before it is refused for that, so no error repeats what it was given.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    home: Folder = Field(default_factory=default_home, description="Folder of weights, index and documents.")
    corpus: Folder = Field(default=PROJECT / "corpus", description="Folder of the built-in guides.")
    embedding_model: Literal["all-mpnet-base-v2", "all-MiniLM-L6-v2"] = Field(
        default="all-mpnet-base-v2", description="The embedder; all-MiniLM-L6-v2 is the small, weaker option."
    )
    reranker: str = Field(
        default="",
        max_length=500,
        description="A cross-encoder (folder or hub name) that reranks after the built-in way; empty for none.",
    )
    entailment_model: str = Field(
        default="",
        max_length=500,
        description="An entailment cross-encoder (folder or hub name) that has to agree to written sentences.",
    )
    model: str = Field(
        default="auto",
        min_length=1,
        max_length=200,
        description="Who writes answers: auto (an LLM when one is configured), quote (no LLM), or a model name.",
    )
    api_key: SecretStr | None = Field(default=None, description="Read from OPENAI_API_KEY only.")
    base_url: Address = Field(default=None, repr=False, description="Read from OPENAI_BASE_URL only.")
    sources: int = Field(default=5, ge=1, le=20, description="Entries an answer may draw on.")
    claims: int = Field(default=6, ge=1, le=20, description="Sentences in an answer at the most.")
    question_limit: int = Field(default=2000, ge=100, le=20000, description="Characters in a question at the most.")
    history_limit: int = Field(default=20, ge=0, le=200, description="Earlier turns taken into account at the most.")
    document_megabytes: int = Field(default=50, ge=1, le=2000, description="Size of a document at the most.")
    document_pages: int = Field(default=2000, ge=1, le=100000, description="Pages of a PDF at the most.")
    document_seconds: float = Field(default=60, gt=0, le=3600, description="Time to read one document.")
    answer_tokens: int = Field(default=900, ge=50, le=16000, description="Tokens an LLM may write for one answer.")
    first_byte_seconds: float = Field(default=60, gt=0, le=600, description="Wait for an LLM's first byte.")
    silence_seconds: float = Field(default=20, gt=0, le=600, description="Wait for an LLM's next byte after that.")
    requests_per_minute: int = Field(
        default=20, ge=1, le=10000, description="Questions one session may put to an LLM in a minute."
    )
    threads: int = Field(default=2, ge=1, le=64, description="CPU threads for embedding.")
    host: str = Field(default="127.0.0.1", description="Address the web app binds to.")
    port: int = Field(default=8501, ge=0, le=65535, description="Port of the web app.")

    @property
    def models_folder(self) -> Path:
        return self.home / "models"

    @property
    def index_folder(self) -> Path:
        return self.home / "index"

    @property
    def documents_folder(self) -> Path:
        return self.home / "documents"

    @property
    def llm_configured(self) -> bool:
        return self.api_key is not None or self.base_url is not None


FROM_OPENAI = {"OPENAI_API_KEY": "api_key", "OPENAI_BASE_URL": "base_url"}
BARE_CURE = "Leave only the address in it, such as http://127.0.0.1:11434/v1, and put the key into OPENAI_API_KEY."


def load_settings(environment: Mapping[str, str], folder: Path, **overrides: Any) -> Settings:
    """Reads the settings.

    Args:
        environment: usually `os.environ`.
        folder: where `tutor.toml` is looked for.
        overrides: values that win over everything, such as command-line options; None is ignored.

    Raises:
        SettingsError: an unknown key, a value out of bounds, or an unreadable file.
    """
    values: dict[str, Any] = {}
    file = folder / FILE_NAME
    if file.is_file():
        values.update(_read_file(file))
    known = set(Settings.model_fields) - set(FROM_OPENAI.values())
    for name, value in environment.items():
        if name in FROM_OPENAI:
            if value.strip():
                values[FROM_OPENAI[name]] = value.strip()
        elif name.upper().startswith(PREFIX):
            key = name[len(PREFIX) :].lower()
            if key not in known:
                raise SettingsError(
                    f"The environment variable {name} is not a setting.",
                    f"Unset it, or use one of: {', '.join(sorted(PREFIX + k.upper() for k in known))}.",
                )
            values[key] = value
    values.update({key: value for key, value in overrides.items() if value is not None})
    try:
        return Settings(**values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if key == "base_url":
            said = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"OPENAI_BASE_URL is wrong: it {said}.", BARE_CURE) from None
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"{key} is not a setting.", f"Remove it from {file}, or use one of: {', '.join(sorted(known))}."
            ) from None
        raise SettingsError(
            f"The setting {key} is wrong: {first['msg'].lower()}.",
            f"Set {PREFIX}{key.upper()} or `{key}` in {FILE_NAME} to an allowed value.",
        ) from None


def _read_file(file: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}.", "Mend or remove the file.") from None
    secret = sorted(set(found) & set(FROM_OPENAI.values()))
    if secret:
        raise SettingsError(
            f"{file} sets {', '.join(secret)}, which is read from the environment only.",
            "Use OPENAI_API_KEY and OPENAI_BASE_URL.",
        )
    return found
