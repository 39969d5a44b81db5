"""Functions on tensors, with their kernels: what PyTorch has not, or is slow at.

They know nothing of networks. Each falls back to PyTorch's own operators where its kernel does not
apply, with the same results.
"""
