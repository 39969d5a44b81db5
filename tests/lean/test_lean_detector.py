"""Lean BiFPN and head: the same bits as plain ones, for less memory."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from effnet_dense.lean import apply
from effnet_dense.models import BiFPN, EfficientDetHead
from tests.helpers import peers

CHANNELS = (8, 12, 20)


def neck(**options: Any) -> nn.Module:
    return peers.randomise_(BiFPN(CHANNELS, 16, num_cells=2, **options))


def head() -> nn.Module:
    init_default_scope('mmdet')
    return peers.randomise_(EfficientDetHead(4, 16, bbox_coder=dict(type='DeltaXYWHBBoxCoder')))


def features(channels: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, count, 32 >> level, 48 >> level, generator=generator)
        for level, count in enumerate(channels)
    ]


PARTS = {
    'fast': (lambda: neck(conv_bias=True), CHANNELS),
    'softmax': (lambda: neck(fusion='softmax', act_cfg=dict(type='ReLU6', inplace=True)), CHANNELS),
    'sum': (lambda: neck(fusion='sum', padding='symmetric', num_outs=6), CHANNELS),
    'GN': (lambda: neck(norm_cfg=dict(type='GN', num_groups=4)), CHANNELS),
    'head': (head, (16,) * 5),
}


def step(part: nn.Module, inputs: list[Tensor], lean: int) -> tuple[dict[str, Any], int]:
    """Gradients and statistics after a step, and the bytes that the forward pass saved."""
    part = copy.deepcopy(part).train()
    assert apply(part, lean) > 0
    inputs = [x.clone().requires_grad_() for x in inputs]
    own = {x.untyped_storage().data_ptr() for x in (*inputs, *part.parameters(), *part.buffers())}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        outs = part(inputs)
    outs = [out for level in outs for out in (level if isinstance(level, list) else [level])]
    generator = torch.Generator().manual_seed(1)
    sum((out * torch.randn(out.shape, generator=generator)).sum() for out in outs).backward()
    found: dict[str, Any] = {f'input {n}': x.grad for n, x in enumerate(inputs)}
    found |= {name: parameter.grad for name, parameter in part.named_parameters()}
    return found | dict(part.named_buffers()), sum(saved.values())


@pytest.mark.parametrize('lean', [1, 2])
@pytest.mark.parametrize('name', PARTS)
def test_same_bits_for_less_memory(name: str, lean: int) -> None:
    build, channels = PARTS[name]
    part, inputs = build(), features(channels)
    plain, most = step(part, inputs, 0)
    ours, less = step(part, inputs, lean)
    assert set(ours) == set(plain)
    for key, value in plain.items():
        assert torch.equal(ours[key], value), key
    # Sums without weights save no products, of which lean training could do without.
    assert less < (0.75 if name == 'sum' and lean == 1 else 0.62) * most


@pytest.mark.parametrize('lean', [-1, 3, True])
def test_bad_levels(lean: Any) -> None:
    init_default_scope('mmdet')
    for build in (neck, lambda lean: EfficientDetHead(4, 16, lean=lean)):
        with pytest.raises(ValueError, match=rf'lean must be one of \(0, 1, 2\), got {lean}'):
            build(lean=lean)
