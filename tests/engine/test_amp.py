"""bfloat16 on the CPU, where mmengine's own wrapper refuses to be built."""

from __future__ import annotations

import torch
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

import effnet_dense.engine  # noqa: F401  (registers the wrapper)


def test_forward_in_bfloat16_step_in_float32() -> None:
    model = nn.Linear(4, 1)
    sgd = torch.optim.SGD(model.parameters(), lr=1.0)
    wrapper = OPTIM_WRAPPERS.build(dict(type='CPUAmpOptimWrapper', optimizer=sgd))
    before = model.weight.detach().clone()
    with wrapper.optim_context(model):
        output = model(torch.ones(1, 4))
    assert output.dtype == torch.bfloat16
    assert model(torch.ones(1, 4)).dtype == torch.float32
    wrapper.update_params(output.float().sum())
    assert model.weight.dtype == torch.float32
    torch.testing.assert_close(model.weight.detach(), before - 1.0)
