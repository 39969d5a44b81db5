"""The demo dataset, generated from a seed."""

from effnet_dense.data.demo.dataset import make_demo

__all__ = ['make_demo']
