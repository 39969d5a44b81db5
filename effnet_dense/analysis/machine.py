"""What a figure needs beside it to mean anything on another machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import torch

from effnet_dense.analysis.settings import Settings

PACKAGES = (
    'torch',
    'torchvision',
    'timm',
    'effdet',
    'mmdet',
    'efficientnet-pytorch',
    'segmentation-models-pytorch',
)


def machine(settings: Settings) -> dict[str, Any]:
    """Processor, cores, load, and the versions of what is compared."""
    return {
        'processor': _device(settings),
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
        'load': os.getloadavg()[0] if hasattr(os, 'getloadavg') else None,
        'python': platform.python_version(),
        'versions': {name: version for name in PACKAGES if (version := _version(name))},
    }


def _device(settings: Settings) -> str:
    if settings.on_cuda:
        return torch.cuda.get_device_name(settings.device)
    file = Path('/proc/cpuinfo')
    lines = file.read_text().splitlines() if file.exists() else []
    names = [line.partition(': ')[2] for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
