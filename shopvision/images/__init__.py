"""Image processing: bytes -> pixels -> tensors. No Django models, no torch."""
