"""Other retrieval libraries as processes of their own; see `eval.bench_peers`."""
