"""ONNX's own test cases on hlsgen: which pass, which are refused and why."""
