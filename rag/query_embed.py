"""A question to a vector with onnxruntime: the same model as `rag.embed`, without importing torch."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy
from numpy.typing import NDArray

from rag.errors import WeightsError
from rag.types import Matrix

FILE = "query.onnx"


class QueryEmbedder:
    """The exported graph of an embedding model. Safe to share between threads.

    Args:
        folder: holds query.onnx and tokenizer.json.
        name: what manifests call the model.
        token_limit: longer texts are cut there.
        threads: CPU threads used for one text.
    """

    def __init__(self, folder: Path, name: str, token_limit: int, threads: int) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Idle threads would otherwise wait by spinning and take the processor from other questions.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(
                str(folder / FILE), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # both libraries raise bare exceptions of many kinds for a bad file
            raise WeightsError(
                f"The model files in {folder} cannot be loaded: {str(error)[:200]}.",
                f"Run `tutor models fetch {name}`.",
            ) from error
        self._counter = Tokenizer.from_str(self._tokenizer.to_str())
        self._counter.no_truncation()
        self._counter.no_padding()
        self._tokenizer.enable_truncation(token_limit)
        padding = next((t for t in ("<pad>", "[PAD]") if self._tokenizer.token_to_id(t) is not None), "<pad>")
        self._tokenizer.enable_padding(pad_id=self._tokenizer.token_to_id(padding) or 0, pad_token=padding)
        self._lock = Lock()
        self.name = name
        self.token_limit = token_limit

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Vectors of `texts`, shape (count, dimension), unit length."""
        encoded = self._tokenizer.encode_batch(list(texts))
        feed = {
            "input_ids": numpy.array([item.ids for item in encoded], dtype=numpy.int64),
            "attention_mask": numpy.array([item.attention_mask for item in encoded], dtype=numpy.int64),
        }
        # One question at a time keeps ten sessions on two cores from slowing each other more than they must.
        with self._lock:
            pooled = self._session.run(["pooled"], feed)[0]
        return numpy.asarray(pooled, dtype=numpy.float32)

    def hidden_states(
        self, input_ids: NDArray[numpy.int64], attention_mask: NDArray[numpy.int64]
    ) -> NDArray[numpy.float32]:
        """The last hidden states, shape (batch, tokens, dimension), of tokenized texts."""
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        hidden: NDArray[numpy.float32] = self._session.run(["tokens"], feed)[0]
        return hidden

    def count_tokens(self, text: str) -> int:
        """How many tokens the model would read, its special tokens included, without any cut."""
        return len(self._counter.encode(text).ids)
