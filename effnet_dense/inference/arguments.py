"""Checks of what `Predictor` is given."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import torch


def check_batch_size(batch_size: Any) -> None:
    """Check a number of images per forward pass.

    Raises:
        ValueError: It is no whole number of at least 1.
    """
    if not isinstance(batch_size, Integral) or batch_size < 1:
        raise ValueError(f'expected a batch_size of at least 1, got {batch_size!r:.60}')


def check_array(image: Any, channels: int) -> None:
    """Check that an image needs no conversion."""
    expected = f'expected arrays (H, W, {channels}) of uint8, as Predictor.read returns them'
    if not isinstance(image, np.ndarray):
        raise ValueError(f'{expected}, got a {type(image).__name__}')
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != channels or not image.size:
        raise ValueError(f'{expected}, got {image.shape} of {image.dtype}')


def refuse(reason: str, given: dict[str, Any]) -> None:
    """Refuse arguments that are not None."""
    unused = [f'{name}={value}' for name, value in given.items() if value is not None]
    if unused:
        raise ValueError(f'{reason}: expected it without {", ".join(unused)}')


def checked_device(device: str | torch.device) -> torch.device:
    """Return a device that can hold a tensor.

    Raises:
        ValueError: PyTorch does not know it, or this machine has none.
    """
    if not isinstance(device, str | torch.device):
        raise ValueError(f'device must be such as cpu or cuda:0, got {device!r:.60}')
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip('.')
        raise ValueError(
            f'device must be such as cpu or cuda:0, got {str(device)!r}: {reason:.200}'
        ) from error
    return chosen
