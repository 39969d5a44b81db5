"""Export trained models to files that other runtimes execute."""

from effnet_dense.exporting.exporter import export

__all__ = ['export']
