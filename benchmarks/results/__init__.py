"""docs/results.md, made in parts: `python -m benchmarks.results`."""
