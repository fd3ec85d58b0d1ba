"""Designs run on the emulator."""
