"""How good the resource and timing model is: `python -m benchmarks.model [ESTIMATES.csv]`."""
