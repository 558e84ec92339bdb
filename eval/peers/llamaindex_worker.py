"""LlamaIndex: a QueryFusionRetriever over a vector index and BM25Retriever, as its fusion example shows it."""

from eval.peers.protocol import Built, Job, first_of_each, serve

CHUNK = 256
"""Tokens, the chunk size of the fusion example: about 1,000 characters."""
OVERLAP = 50
CANDIDATES = 50
"""Chunks of each retriever: ten entries have to be among them, and an entry has several."""
PACKAGES = (
    "llama-index-core",
    "llama-index-retrievers-bm25",
    "llama-index-embeddings-huggingface",
    "bm25s",
    "sentence-transformers",
    "transformers",
    "torch",
    "numpy",
)


def build(job: Job) -> Built:
    """Splits, embeds and indexes the entries in memory."""
    from llama_index.core import Document, Settings, VectorStoreIndex
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.retrievers import QueryFusionRetriever
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.retrievers.bm25 import BM25Retriever

    # The fusion asks for a language model even when it is to write no queries.
    Settings.llm = None
    Settings.embed_model = HuggingFaceEmbedding(model_name=job.model, device="cpu")
    documents = [Document(text=text, id_=name) for name, text in job.texts.items()]
    nodes = SentenceSplitter(chunk_size=CHUNK, chunk_overlap=OVERLAP).get_nodes_from_documents(documents)
    index = VectorStoreIndex(nodes)
    by_word = BM25Retriever.from_defaults(docstore=index.docstore, similarity_top_k=CANDIDATES)
    fusion = QueryFusionRetriever(
        [index.as_retriever(similarity_top_k=CANDIDATES), by_word],
        similarity_top_k=2 * CANDIDATES,
        num_queries=1,
        mode="reciprocal_rerank",
        use_async=True,
    )

    def ask(question: str, limit: int) -> list[str]:
        return first_of_each((found.node.ref_doc_id for found in fusion.retrieve(question)), limit)

    settings = {
        "splitter": "SentenceSplitter",
        "chunk tokens": CHUNK,
        "overlap tokens": OVERLAP,
        "chunks": len(nodes),
        "retrievers": "VectorStoreIndex in memory, BM25Retriever",
        "chunks a retriever": CANDIDATES,
        "fusion": "QueryFusionRetriever, reciprocal_rerank, num_queries 1",
    }
    return Built(ask, Settings.embed_model.get_text_embedding_batch, settings)


if __name__ == "__main__":
    serve(build, PACKAGES)
