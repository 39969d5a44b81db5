"""The kernels compile for a GPU, which need not be there. `test_triton_norm` runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from effnet_dense.ops.gated_norm import Exchange, multiply, squeeze
from effnet_dense.ops.triton_norm import norm_act_in_training
from tests.helpers.triton_kernels import compiled_for_hopper

# Kernel → how often it is launched: alone, with padding and with gates.
LAUNCHES = dict(
    moments=3, statistics=3, activate=3, activation_sums=1, gradient_sums=3, input_gradient=3
)
WRITING = ('activate', 'input_gradient')


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float32])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_compiled_for_hopper(
    dtype: torch.dtype, memory_format: torch.memory_format, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """With the arguments of real launches: forward and backward pass."""
    pytest.importorskip('triton', reason='triton is not installed')
    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))
    x, norm = torch.empty(2, 96, 64, 64, dtype=dtype), nn.BatchNorm2d(96)
    x = x.contiguous(memory_format=memory_format).requires_grad_()
    own, exchange = (norm.weight, norm.bias), Exchange()
    with compiled_for_hopper() as kernels:
        for padding in (None, ((0, 1), (0, 1))):
            out = norm_act_in_training(x, *own, norm, 'silu', False, padding)[0]
            out.backward(torch.empty_like(out))
        handle, means, *batch = squeeze(x, *own, norm, 'relu6', exchange, True)
        out = multiply(x, handle, means.sigmoid(), *batch, *own, 'relu6', exchange=exchange)
        out.backward(torch.empty_like(out))
    assert {name: len(found) for name, found in kernels.items()} == LAUNCHES
    for name, found in kernels.items():
        for number, asm in enumerate(found):
            assert '.target sm_90' in asm['ptx']
            assert asm['cubin']
            assert '.local' not in asm['ptx']  # everything is in registers
            if number == 1 and memory_format is torch.contiguous_format:
                continue  # padded rows begin anywhere
            # Features are read and written by 16 bytes.
            assert any(f'ld.global.{wide}' in asm['ptx'] for wide in ('v4.b32', 'v2.b64'))
            if name in WRITING:
                assert any(f'st.global.{wide}' in asm['ptx'] for wide in ('v4.b32', 'v2.b64'))
