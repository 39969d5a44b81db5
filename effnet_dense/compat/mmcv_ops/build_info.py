"""What mmcv reports about its build in ``collect_env``: here, that there was none."""

from __future__ import annotations


def get_compiler_version() -> str:
    """Say, in place of a compiler's name, where the operators come from."""
    return 'none (operators by effnet_dense.compat.mmcv_ops)'


def get_compiling_cuda_version() -> str:
    """Say, in place of a CUDA version, where the operators come from."""
    return 'none (operators by effnet_dense.compat.mmcv_ops)'
