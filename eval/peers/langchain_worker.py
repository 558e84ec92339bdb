"""LangChain: an EnsembleRetriever over BM25Retriever and Chroma, as its guide to hybrid search shows it."""

from eval.peers.protocol import Built, Job, first_of_each, serve

CHUNK = 1000
OVERLAP = 200
CANDIDATES = 50
"""Chunks of each retriever: ten entries have to be among them, and an entry has several."""
WEIGHTS = [0.5, 0.5]
PACKAGES = (
    "langchain-classic",
    "langchain-community",
    "langchain-core",
    "langchain-chroma",
    "langchain-huggingface",
    "langchain-text-splitters",
    "chromadb",
    "rank-bm25",
    "sentence-transformers",
    "transformers",
    "torch",
    "numpy",
)


def build(job: Job) -> Built:
    """Splits, embeds and indexes the entries in memory."""
    from langchain_chroma import Chroma
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_community.retrievers import BM25Retriever
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    documents = [Document(page_content=text, metadata={"entry": name}) for name, text in job.texts.items()]
    chunks = RecursiveCharacterTextSplitter(chunk_size=CHUNK, chunk_overlap=OVERLAP).split_documents(documents)
    embeddings = HuggingFaceEmbeddings(model_name=job.model, model_kwargs={"device": "cpu"})
    by_word = BM25Retriever.from_documents(chunks)
    by_word.k = CANDIDATES
    by_meaning = Chroma.from_documents(chunks, embeddings).as_retriever(search_kwargs={"k": CANDIDATES})
    ensemble = EnsembleRetriever(retrievers=[by_word, by_meaning], weights=WEIGHTS)

    def ask(question: str, limit: int) -> list[str]:
        return first_of_each((found.metadata["entry"] for found in ensemble.invoke(question)), limit)

    settings = {
        "splitter": "RecursiveCharacterTextSplitter",
        "chunk characters": CHUNK,
        "overlap characters": OVERLAP,
        "chunks": len(chunks),
        "retrievers": "BM25Retriever, Chroma in memory",
        "chunks a retriever": CANDIDATES,
        "fusion": "EnsembleRetriever",
        "weights": WEIGHTS,
    }
    return Built(ask, embeddings.embed_documents, settings)


if __name__ == "__main__":
    serve(build, PACKAGES)
