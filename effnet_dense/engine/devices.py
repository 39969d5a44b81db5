"""Choose the device of a run by the config's key `device`, in place of mmengine's own choice."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.device import get_device


def run_device(cfg: Any) -> str:
    """Return the device on which a config's model runs, by the config or by mmengine."""
    return str(cfg.get('device') or get_device())


def use_device(cfg: Any) -> None:
    """Make a config's GPU the current one, where 'cuda' and new tensors are.

    Raises:
        ValueError: There is no such GPU.
    """
    device = cfg.get('device')
    if not device or device == 'cpu':
        return
    index = torch.device(device).index
    if not torch.cuda.is_available() or (index or 0) >= torch.cuda.device_count():
        raise ValueError(f'device={device!r}: PyTorch finds {torch.cuda.device_count()} GPUs')
    if index is not None:
        torch.cuda.set_device(index)
