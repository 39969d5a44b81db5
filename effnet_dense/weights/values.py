"""Check a source's tensors before the first is used: errors that copying would hide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from effnet_dense.weights.translate import preview


def check_layouts(state: Mapping[Any, Any]) -> None:
    """Check that keys are names, and tensors plain arrays with values.

    Raises:
        ValueError: A key is no string; a tensor is sparse, nested, quantised or without values.
    """
    numbers = [key for key in state if not isinstance(key, str)]
    if numbers:
        raise ValueError(
            f'expected names of tensors as keys, got {len(numbers)} of type '
            f'{type(numbers[0]).__name__} ({preview([str(key) for key in numbers])})'
        )
    _refuse(
        {key: _unusual(value) for key, value in state.items() if isinstance(value, Tensor)},
        'expected plain tensors',
    )


def check_values(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> None:
    """Check that tensors are numbers of the kind that the model has.

    Weights of float16, bfloat16 and float64 are allowed; batch norm's counters are integers.

    Args:
        tensors: The model's key → the tensor that will be copied to it, of the same shape.
        own: The model's state dict.

    Raises:
        ValueError: A tensor is of integers, booleans or complex numbers where the model has real
            ones, has NaN or Inf, also after conversion to the model's type, or is a negative
            variance.
    """
    shared = {key: t for key, t in tensors.items() if key in own and isinstance(t, Tensor)}
    floating = {key: t for key, t in shared.items() if own[key].is_floating_point()}
    wrong = {key: str(t.dtype) for key, t in floating.items() if not t.is_floating_point()}
    _refuse(wrong, 'expected floating-point numbers')
    _refuse(
        {key: _not_finite(t, own[key].dtype) for key, t in shared.items()},
        'expected finite numbers',
    )
    negative = {
        key: 'negative'
        for key, t in floating.items()
        if key.endswith('running_var') and _min(t) < 0
    }
    _refuse(negative, 'expected variances')


def _unusual(tensor: Tensor) -> str:
    """Name what makes a tensor no plain array; '' if nothing does."""
    if tensor.is_nested:
        return 'nested'
    if tensor.layout is not torch.strided:
        return str(tensor.layout).removeprefix('torch.')
    if tensor.is_quantized:
        return str(tensor.dtype).removeprefix('torch.')
    return 'without values' if tensor.is_meta else ''


def _not_finite(tensor: Tensor, dtype: torch.dtype) -> str:
    """Name the values that are not finite in the model's type; '' if all are."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return ''
    values = tensor.detach().to(dtype if dtype.is_floating_point else torch.float64)
    if values.element_size() == 1:  # 8-bit types lack the functions below
        values = values.float()
    if values.isfinite().all():
        return ''
    if values.isnan().any():
        return 'NaN'
    return 'Inf' if tensor.double().isinf().any() else f'Inf as {dtype}'


def _min(tensor: Tensor) -> float:
    return float(tensor.float().min()) if tensor.numel() else 0.0


def _refuse(faults: Mapping[str, str], expected: str) -> None:
    """Raise an error that names the first tensors with a fault, and their number."""
    wrong = [f'{key} ({fault})' for key, fault in faults.items() if fault]
    if wrong:
        raise ValueError(f'{expected}, got {len(wrong)} others: {preview(wrong)}')
