"""Documents to vectors with sentence-transformers, and the export of the same model to ONNX.

Importing torch takes seconds, so this module is imported only where documents are embedded; a
question is embedded by `rag.query_embed` from the exported graph. Documents run through the same
graph once it exists: sentence-transformers tokenizes, batches and pools, and only the forward pass
is the graph's, which reads two to four times as many tokens a second on a CPU.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from rag.errors import WeightsError
from rag.types import Matrix

RunGraph = Callable[[NDArray[numpy.int64], NDArray[numpy.int64]], NDArray[numpy.float32]]
"""(input ids, attention mask), both (batch, tokens), to last hidden states (batch, tokens, dimension)."""
OPSET = 17
BATCH = 8
"""Texts a forward pass: on two cores, 8 long texts take half the time of 32, whose activations leave the cache."""


class DocumentEmbedder:
    """A sentence-transformers model read from a local folder; mean pooling, unit length.

    Args:
        folder: holds config.json, model.safetensors and tokenizer.json.
        name: what manifests call the model.
        token_limit: tokens the model was trained to read; longer texts are cut there.
        threads: CPU threads of torch in this process.
    """

    def __init__(self, folder: Path, name: str, token_limit: int, threads: int) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
        from transformers.utils import logging

        torch.set_num_threads(threads)
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            transformer = Transformer(str(folder), max_seq_length=token_limit)
        except (OSError, ValueError) as error:
            raise WeightsError(
                f"The model files in {folder} cannot be loaded: {error}.", f"Run `tutor models fetch {name}`."
            ) from error
        pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
        self._model = SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")
        self.name = name
        self.token_limit = token_limit

    def embed(self, texts: Sequence[str]) -> Matrix:
        """Vectors of `texts`, shape (count, dimension), unit length."""
        if not texts:
            return numpy.zeros((0, 0), dtype=numpy.float32)
        vectors: Any = self._model.encode(list(texts), batch_size=BATCH, show_progress_bar=False)
        return numpy.asarray(vectors, dtype=numpy.float32)

    def run_on(self, run_graph: RunGraph) -> None:
        """Lets an exported graph of this very model do the forward pass from now on."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        class Graph(torch.nn.Module):
            def forward(self, input_ids: Any, attention_mask: Any, **_: Any) -> BaseModelOutput:
                hidden = torch.from_numpy(run_graph(input_ids.numpy(), attention_mask.numpy()))
                return BaseModelOutput(last_hidden_state=hidden)

        # Torch only pools from here on; idle threads of its own would spin on the cores the graph needs.
        torch.set_num_threads(1)
        graph = Graph()
        transformer: Any = self._model[0]
        graph.config = transformer.model.config
        transformer.model = graph

    def export(self, target: Path) -> None:
        """Writes the model as an ONNX graph with the outputs `pooled` and `tokens`.

        `pooled` is the unit-length sentence vector, `tokens` the last hidden states. The graph
        takes `input_ids` and `attention_mask`, both of shape (batch, tokens), 64-bit integers.
        """
        import torch

        first: Any = self._model[0]
        transformer: Any = first.model.eval()

        class Pooled(torch.nn.Module):
            def forward(self, input_ids: Any, attention_mask: Any) -> Any:
                hidden = transformer(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[0]
                mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
                mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
                return torch.nn.functional.normalize(mean, dim=1), hidden

        example = self._model.tokenizer(["a question", "a longer question"], padding=True, return_tensors="pt")
        axes = {0: "batch", 1: "tokens"}
        graph = Pooled()
        graph.transformer = transformer
        with torch.no_grad(), warnings.catch_warnings():
            # The tracing exporter writes a graph of today's operators; its notices are not ours to act on.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph,
                (example["input_ids"], example["attention_mask"]),
                str(target),
                input_names=["input_ids", "attention_mask"],
                output_names=["pooled", "tokens"],
                dynamic_axes={"input_ids": axes, "attention_mask": axes, "pooled": {0: "batch"}, "tokens": axes},
                opset_version=OPSET,
                dynamo=False,
            )
