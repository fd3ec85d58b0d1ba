"""Quantised networks: accuracy, equality on the emulator, size and speed beside float32."""
