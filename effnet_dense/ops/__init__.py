"""Tensor functions and kernels that PyTorch lacks or runs slowly, independent of the networks.

Where a kernel does not apply, its function falls back to PyTorch's own operators, with the same
results.
"""
