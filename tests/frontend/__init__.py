"""ONNX in: import, references, pictures."""
