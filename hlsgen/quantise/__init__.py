"""Quantises a network to 8-bit integers with onnxruntime's tools: calibration, bias correction,
noise of each layer, layers left in float."""
