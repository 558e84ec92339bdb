"""Every error this project raises on purpose.

TutorError                 one clear line and a cure; the doors print it, exit code 1
├── UsageError             the caller can repair it by calling differently; exit code 2
│   ├── QuestionError      the question cannot be used (empty, too long, not text)
│   └── SettingsError      a setting is unknown or out of bounds
├── CorpusError            a guide entry breaks the format; carries every fault found
├── WeightsError           model files are missing, damaged or cannot be fetched
├── IndexUnavailable       the index is missing, damaged or of another model; a build mends it
├── IndexBusy              another process is writing the index
├── ResourceError          the machine lacks something: disk space, permission, a free port
└── ModelError             the language model did not deliver; the quoted answer still works
"""


class TutorError(Exception):
    """What happened, to what, and the command or setting that fixes it.

    Args:
        message: one sentence saying what happened, naming the thing it happened to.
        cure: the command or setting that mends it.
    """

    exit_code = 1

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.message} {self.cure}".strip()


class UsageError(TutorError):
    """The call itself has to change."""

    exit_code = 2


class QuestionError(UsageError):
    """The question cannot be used."""


class SettingsError(UsageError):
    """A setting is unknown or out of bounds."""


class CorpusError(TutorError):
    """Guide entries break the format. `faults` holds one line a fault, as `file:line: what`."""

    def __init__(self, message: str, cure: str = "", faults: tuple[str, ...] = ()) -> None:
        super().__init__(message, cure)
        self.faults = faults


class WeightsError(TutorError):
    """Model files are missing, damaged or cannot be fetched."""


class IndexUnavailable(TutorError):
    """The index is missing, damaged, or was made with another model or format."""


class IndexBusy(TutorError):
    """Another process is writing the index."""


class ResourceError(TutorError):
    """The machine lacks something: disk space, permission, a free port."""


class ModelError(TutorError):
    """The language model did not deliver a usable reply."""
