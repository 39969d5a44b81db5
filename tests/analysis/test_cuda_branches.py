"""CUDA's branches on the CPU, at a block whose saved bytes are derived by hand."""

from __future__ import annotations

from functools import partial

import torch

from effnet_dense import lean
from effnet_dense.analysis.cuda_branches import cuda_branches
from effnet_dense.analysis.saved_memory import measure_saved_memory
from effnet_dense.lean import layers
from effnet_dense.models.blocks import MBConv
from effnet_dense.models.layers import ConvNormAct
from effnet_dense.ops import depthwise, fused_norm, norm_act, triton_norm
from effnet_dense.scaling.efficientnet import BlockRow


def block() -> MBConv:
    row = BlockRow('mbconv', kernel=3, stride=1, expand=4, channels=8, repeats=1, se=0.25)
    make = partial(ConvNormAct, norm_cfg=dict(type='BN'))
    found = MBConv(8, row, 1, make_conv=make, act_cfg=dict(type='SiLU', inplace=True)).train()
    lean.apply(found, 0)
    return found


def test_a_block_saves_its_gated_feature_and_the_gates_parts() -> None:
    x = torch.randn(2, 8, 16, 16)
    joined = measure_saved_memory(block(), x).hooks
    with cuda_branches():
        apart = measure_saved_memory(block(), x).hooks
    # The gated feature, of 32 channels, and what else the attention's convolutions save.
    assert 0 <= apart - joined - 4 * 2 * 32 * 16 * 16 < 1024


def test_tritons_operators_are_chosen_on_request() -> None:
    x, weight = torch.empty(8, 64, 64, 64), torch.empty(64)
    x = x.contiguous(memory_format=torch.channels_last)
    with cuda_branches():
        assert not norm_act.supports(x, weight, weight, 'silu')
    with cuda_branches(triton='cpu'):
        assert norm_act.supports(x, weight, weight, 'silu')


def test_everything_is_restored() -> None:
    before = layers.can_join, fused_norm.supports, depthwise._is_fast, triton_norm.is_available
    with cuda_branches(triton='cpu'):
        assert layers.can_join is not before[0]
    after = layers.can_join, fused_norm.supports, depthwise._is_fast, triton_norm.is_available
    assert after == before
    assert triton_norm.DEVICES == ('cuda',)
