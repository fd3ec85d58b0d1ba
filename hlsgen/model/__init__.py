"""The analytical model: from a planned design to its structure, resources, clock, cycles and
throughput.

Data files: `costs.json` and `calibration.json`, with their sources in docs/model.md.
"""
