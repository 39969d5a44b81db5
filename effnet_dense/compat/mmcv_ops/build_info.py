"""Report in mmcv's ``collect_env`` that its operators were not compiled."""

from __future__ import annotations


def get_compiler_version() -> str:
    """Return where the operators come from, in place of a compiler's name."""
    return 'none (operators by effnet_dense.compat.mmcv_ops)'


def get_compiling_cuda_version() -> str:
    """Return where the operators come from, in place of a CUDA version."""
    return 'none (operators by effnet_dense.compat.mmcv_ops)'
