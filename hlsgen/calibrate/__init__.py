"""Calibrating the resource model on aoc's and Quartus's reports: reading them, fitting, measuring
errors."""
