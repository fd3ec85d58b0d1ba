"""Devices as data files."""
