"""NumPy classes: how one is made, switched, called, and where it keeps its gradients."""
