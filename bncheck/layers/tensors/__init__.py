"""Layers over tensors: PyTorch and JAX, loaded only where the user has loaded them."""
