"""Topology files: one JSON object each."""
