"""Describe what a run used: versions, commit, hardware, time."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from effnet_dense import __version__
from effnet_dense.utils.counted import counted
from effnet_dense.utils.environment import (
    git_commit,
    gpu_names,
    installed_versions,
    processor_name,
)

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmcv-lite', 'mmdet', 'mmsegmentation')


def versions() -> dict[str, str]:
    """Return the versions of this package, its commit, Python, and installed dependencies."""
    commit = git_commit(ROOT)
    return {
        'effnet_dense': __version__,
        **({'commit': commit} if commit else {}),
        'Python': platform.python_version(),
        **installed_versions(PACKAGES),
    }


def hardware() -> dict[str, str]:
    """Describe the processor and the GPUs."""
    found = {'Processor': f'{processor_name()}, {counted(os.cpu_count() or 1, "core")}'}
    if torch.cuda.is_available():
        found |= {'GPUs': gpu_names(), 'CUDA': str(torch.version.cuda)}
    return found
