"""Faults put in on purpose, each with the tests that must notice it."""
