"""Model weights: where they come from, how they are verified and converted to ONNX, and where they are kept."""
