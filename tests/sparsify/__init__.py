"""Sparsification."""
