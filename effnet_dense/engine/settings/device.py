"""`--device cpu|cuda|cuda:N`: where a run computes."""

from __future__ import annotations

import re

import torch
from mmengine.config import Config

from effnet_dense.engine.settings.notes import refusal

DEVICE = re.compile(r'cpu|cuda(?::(\d+))?')


def set_device(config: Config, device: str) -> None:
    """Choose the device of a run in one process.

    The runner reads the key `device`, see `effnet_dense.engine.devices`.

    Args:
        config: Changed in place.
        device: 'cpu', 'cuda' or 'cuda:1'.

    Raises:
        ValueError: There is no such device, or a launcher assigns one to each process.
    """
    flag = f'--device {device}'
    match = DEVICE.fullmatch(device)
    if match is None:
        raise refusal(flag, 'expected cpu, cuda or cuda:N', 'write one of them')
    if config.get('launcher', 'none') != 'none':
        raise refusal(
            flag,
            'the launcher assigns a device to each process',
            'choose GPUs by CUDA_VISIBLE_DEVICES, or none by leaving that empty',
        )
    if device != 'cpu':
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(match[1] or 0) >= count:
            have = f'cuda:0 to cuda:{count - 1}' if count > 1 else 'cuda:0' if count else 'no GPU'
            raise refusal(flag, f'PyTorch finds {have} here', 'write --device cpu, or leave it out')
    config.device = device


def device_of(config: Config) -> str:
    """Return the device that a config runs on: its own, else a GPU if there is one."""
    return config.get('device') or ('cuda' if torch.cuda.is_available() else 'cpu')
