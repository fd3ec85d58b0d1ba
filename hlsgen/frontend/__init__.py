"""ONNX in, a normalised `Graph` out."""
