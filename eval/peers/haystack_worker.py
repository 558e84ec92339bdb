"""Haystack: a pipeline of BM25 and embedding retriever and DocumentJoiner, as its hybrid tutorial shows it."""

from typing import Any

from eval.peers.protocol import Built, Job, first_of_each, serve

CHUNK = 160
"""Words, the splitter's default unit: about 1,000 characters."""
OVERLAP = 25
CANDIDATES = 50
"""Chunks of each retriever: ten entries have to be among them, and an entry has several."""
JOIN = "reciprocal_rank_fusion"
"""The tutorial concatenates because a reranker follows; without one the joiner has to do the ranking."""
PACKAGES = (
    "haystack-ai",
    "sentence-transformers-haystack",
    "sentence-transformers",
    "transformers",
    "torch",
    "numpy",
)


def build(job: Job) -> Built:
    """Splits, embeds and indexes the entries in memory."""
    from haystack import Document
    from haystack.document_stores.in_memory import InMemoryDocumentStore
    from haystack.utils import ComponentDevice
    from haystack_integrations.components.embedders.sentence_transformers import (
        SentenceTransformersDocumentEmbedder,
        SentenceTransformersTextEmbedder,
    )

    given = {"model": job.model, "device": ComponentDevice.from_str("cpu"), "progress_bar": False}
    store = InMemoryDocumentStore()
    embedder = SentenceTransformersDocumentEmbedder(**given)
    documents = [Document(content=text, meta={"entry": name}) for name, text in job.texts.items()]
    _indexing(store, embedder).run({"splitter": {"documents": documents}})
    hybrid = _hybrid(store, SentenceTransformersTextEmbedder(**given))
    # Otherwise the first call to `run` would load the model a second time, and count as an answer.
    hybrid.warm_up()

    def ask(question: str, limit: int) -> list[str]:
        found = hybrid.run({"text_embedder": {"text": question}, "by_word": {"query": question}})
        return first_of_each((document.meta["entry"] for document in found["joiner"]["documents"]), limit)

    def embed(texts: list[str]) -> list[list[float]]:
        return [
            document.embedding for document in embedder.run([Document(content=text) for text in texts])["documents"]
        ]

    settings = {
        "splitter": "DocumentSplitter by words",
        "chunk words": CHUNK,
        "overlap words": OVERLAP,
        "chunks": store.count_documents(),
        "retrievers": "InMemoryBM25Retriever, InMemoryEmbeddingRetriever",
        "chunks a retriever": CANDIDATES,
        "fusion": f"DocumentJoiner, {JOIN}",
    }
    return Built(ask, embed, settings)


def _indexing(store: Any, embedder: Any) -> Any:
    from haystack import Pipeline
    from haystack.components.preprocessors import DocumentSplitter
    from haystack.components.writers import DocumentWriter

    pipeline = Pipeline()
    pipeline.add_component("splitter", DocumentSplitter(split_by="word", split_length=CHUNK, split_overlap=OVERLAP))
    pipeline.add_component("embedder", embedder)
    pipeline.add_component("writer", DocumentWriter(document_store=store))
    pipeline.connect("splitter", "embedder")
    pipeline.connect("embedder", "writer")
    return pipeline


def _hybrid(store: Any, embedder: Any) -> Any:
    from haystack import Pipeline
    from haystack.components.joiners import DocumentJoiner
    from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever

    pipeline = Pipeline()
    pipeline.add_component("text_embedder", embedder)
    pipeline.add_component("by_meaning", InMemoryEmbeddingRetriever(document_store=store, top_k=CANDIDATES))
    pipeline.add_component("by_word", InMemoryBM25Retriever(document_store=store, top_k=CANDIDATES))
    pipeline.add_component("joiner", DocumentJoiner(join_mode=JOIN))
    pipeline.connect("text_embedder", "by_meaning")
    pipeline.connect("by_word", "joiner")
    pipeline.connect("by_meaning", "joiner")
    return pipeline


if __name__ == "__main__":
    serve(build, PACKAGES)
