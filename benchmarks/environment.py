"""Describe the machine and the versions that a comparison ran with."""

from __future__ import annotations

import os
import platform
from typing import Any

import torch

from effnet_dense.analysis.settings import Settings
from effnet_dense.utils.environment import installed_versions, processor_name

PACKAGES = (
    'torch',
    'torchvision',
    'timm',
    'effdet',
    'mmdet',
    'efficientnet-pytorch',
    'segmentation-models-pytorch',
)


def describe_machine(settings: Settings) -> dict[str, Any]:
    """Return processor or GPU, cores, threads, load, and the versions of what is compared."""
    name = torch.cuda.get_device_name(settings.device) if settings.on_cuda else processor_name()
    return {
        'processor': name,
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
        'load': os.getloadavg()[0] if hasattr(os, 'getloadavg') else None,
        'python': platform.python_version(),
        'versions': installed_versions(PACKAGES),
    }
