"""Long runs of random and hostile input: networks, files, strict designs, a soak. `python -m
benchmarks.fuzz --help`."""
