"""`--precision fp32|fp16|bf16`: the numbers in which a training computes."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.config import Config

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.device import device_of
from effnet_dense.engine.settings.notes import note, refusal
from effnet_dense.engine.settings.sized_nodes import each_node

PLAIN = 'OptimWrapper'
MIXED = ('AmpOptimWrapper', 'CPUAmpOptimWrapper', 'ApexOptimWrapper')
OF_MIXED = ('loss_scale', 'dtype', 'opt_level', 'use_fsdp')
"""Arguments of `MIXED` that `PLAIN` does not have."""


def set_precision(config: Config, precision: str) -> None:
    """Train in single precision, or under autocast to half precision.

    float16 scales the loss, since small gradients would vanish; bfloat16 has float32's range.
    Validation and test stay in float32.

    Args:
        config: Changed in place.
        precision: 'fp32', 'fp16' or 'bf16'.

    Raises:
        ValueError: The device or a loss cannot compute in it, or the config has its own optimizer
            wrapper.
    """
    flag = f'--precision {precision}'
    wrapper: Any = config.get('optim_wrapper')
    if not wrapper:
        raise refusal(
            flag, 'the config has no optim_wrapper, it does not train', 'use another config'
        )
    name = type_name(wrapper) or PLAIN
    if name not in (PLAIN, *MIXED):
        raise refusal(
            flag,
            f'expected optim_wrapper.type {", ".join((PLAIN, *MIXED))}, got {name}',
            "set that wrapper's own precision by --cfg-options optim_wrapper.…",
        )
    device = torch.device(device_of(config))
    _check(flag, precision, device)
    if precision != 'fp32' and device.type == 'cuda':
        _check_losses(flag, config)
    for key in OF_MIXED:
        wrapper.pop(key, None)
    wrapper.update(_wrapper(precision, device))
    note(f'{flag}: the training computes in {_NAMES[precision]} on the {device.type.upper()}')


def amp_precision(config: Config) -> str:
    """Return the precision of `--amp`: bf16 where the device has it, else fp16."""
    device = torch.device(device_of(config))
    return 'bf16' if device.type != 'cuda' or _has_bfloat16(device) else 'fp16'


def _wrapper(precision: str, device: torch.device) -> dict[str, Any]:
    if precision == 'fp32':
        return dict(type=PLAIN)
    if device.type != 'cuda':
        return dict(type='CPUAmpOptimWrapper')
    if precision == 'fp16':
        return dict(type='AmpOptimWrapper', dtype='float16', loss_scale='dynamic')
    return dict(type='AmpOptimWrapper', dtype='bfloat16', loss_scale=dict(enabled=False))


def _check(flag: str, precision: str, device: torch.device) -> None:
    if precision == 'fp16' and device.type != 'cuda':
        raise refusal(
            flag, 'float16 with loss scaling needs a GPU', 'write --precision bf16 on the CPU'
        )
    if precision == 'bf16' and device.type == 'cuda' and not _has_bfloat16(device):
        raise refusal(
            flag,
            f'{torch.cuda.get_device_name(device)} does not compute in bfloat16',
            'write --precision fp16',
        )


def _check_losses(flag: str, config: Config) -> None:
    """Check that no loss needs float32: autocast on GPUs forbids cross-entropy of probabilities."""
    for node in each_node(config.get('model')):
        if node.get('activated'):
            raise refusal(
                flag,
                f'{type_name(node)} of {type_name(config.model)} takes probabilities '
                '(activated=True), which PyTorch does not allow in mixed precision on a GPU',
                'write --precision fp32',
            )


def _has_bfloat16(device: torch.device) -> bool:
    """Whether a GPU computes in bfloat16 itself, without emulation."""
    try:
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    except (AssertionError, RuntimeError):  # no driver
        return False


_NAMES = dict(fp32='float32', fp16='float16 with loss scaling', bf16='bfloat16')
