"""The write side: documents in, an index out."""
