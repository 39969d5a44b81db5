"""Batch norm in lean training, over two processes as well."""

from __future__ import annotations

import copy
from collections import Counter
from functools import partial

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from effnet_dense import lean
from effnet_dense.analysis.saved_memory import measure_saved_memory
from effnet_dense.lean.chain import run_chain
from effnet_dense.lean.feature import Feature
from effnet_dense.lean.norm import normalise, supports_norm
from effnet_dense.models.blocks import MBConv
from effnet_dense.models.layers import ConvNormAct
from effnet_dense.scaling import BlockRow
from tests.helpers import peers
from tests.helpers.forked import prepare
from tests.helpers.triton_kernels import triton_on_cpu


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('affine', [True, False])
def test_both_passes_are_torchs_to_the_bit(training: bool, affine: bool) -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(5, affine=affine).train(training)
    for tensor in (norm.weight, norm.bias, norm.running_var):
        if tensor is not None:
            nn.init.uniform_(tensor, 0.5, 1.5)
    theirs = copy.deepcopy(norm)
    x = torch.randn(3, 5, 4, 6, requires_grad=True)
    found, expected = normalise(norm, Feature(x)), theirs(x)
    assert torch.equal(found.x, expected)
    assert found.again is not None
    with torch.no_grad():
        assert torch.equal(found.again.read(), expected)
    for a, b in zip(norm.buffers(), theirs.buffers(), strict=True):
        assert torch.equal(a, b)
    gradient = torch.randn(x.shape)
    ours = torch.autograd.grad(found.x, [x, *norm.parameters()], gradient)
    right = torch.autograd.grad(expected, [x, *theirs.parameters()], gradient)
    for a, b in zip(ours, right, strict=True):
        assert torch.equal(a, b)


def test_which_norms_are_supported() -> None:
    assert supports_norm(nn.BatchNorm2d(3))
    assert supports_norm(nn.SyncBatchNorm(3))
    assert supports_norm(nn.BatchNorm2d(3, momentum=None).eval())
    assert not supports_norm(nn.BatchNorm2d(3, momentum=None))
    assert not supports_norm(nn.BatchNorm2d(3, track_running_stats=False))
    assert not supports_norm(nn.GroupNorm(3, 3))

    class Other(nn.BatchNorm2d):
        def forward(self, x: Tensor) -> Tensor:
            return x

    assert not supports_norm(Other(3))


def _part_of_the_batch(rank: int, folder: str) -> None:
    """SyncBN → SiLU → convolution over two processes, against BN over the whole batch."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=2)
    torch.manual_seed(0)
    whole = peers.randomise_(nn.Sequential(nn.BatchNorm2d(5), nn.SiLU(), nn.Conv2d(5, 4, 3)))
    whole = whole.double().train()
    part = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(whole))
    # Four images unlike each other, three here, one there: not the mean of two means.
    x = torch.randn(4, 5, 6, 7, dtype=torch.float64) * torch.arange(1, 5).view(-1, 1, 1, 1)
    mine = slice(0, 3) if rank == 0 else slice(3, 4)
    inputs = [x.clone().requires_grad_(), x[mine].clone().requires_grad_()]
    expected, found = whole(inputs[0]), run_chain(1, part, inputs[1])
    torch.testing.assert_close(found, expected[mine])
    for out in (expected, found):
        out.square().sum().backward()
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad[mine])
    for (name, a), b in zip(part.named_parameters(), whole.parameters(), strict=True):
        dist.all_reduce(a.grad)
        torch.testing.assert_close(a.grad, b.grad, msg=name)
    for a, b in zip(part.buffers(), whole.buffers(), strict=True):
        torch.testing.assert_close(a, b)
    dist.destroy_process_group()


@pytest.mark.slow
def test_synchronised_over_two_processes(tmp_path) -> None:
    prepare()
    mp.start_processes(_part_of_the_batch, (str(tmp_path),), 2, start_method='forkserver')


def block(act: str) -> MBConv:
    torch.manual_seed(0)
    row = BlockRow('mbconv', kernel=3, stride=2, expand=4, channels=8, repeats=1, se=0.25)
    make = partial(ConvNormAct, norm_cfg=dict(type='BN'))
    found = MBConv(8, row, 2, make_conv=make, act_cfg=dict(type=act, inplace=True))
    return found.to(memory_format=torch.channels_last).train()


def step(model: MBConv, x: Tensor) -> list[Tensor]:
    """The output, the gradients of x and all parameters, and the running statistics."""
    x = x.clone().requires_grad_()
    out = model(x)
    gradient = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad(out, [x, *model.parameters()], gradient.to(out.dtype))
    return [out, *found, *model.buffers()]


BFLOAT16 = dict(device_type='cpu', dtype=torch.bfloat16)


@pytest.mark.parametrize(
    ('act', 'level', 'half', 'bound'),
    [
        ('SiLU', 1, False, 3e-5),
        ('SiLU', 2, False, 3e-5),
        ('ReLU6', 1, False, 3e-5),
        ('SiLU', 2, True, 4e-2),
    ],
)
def test_blocks_by_triton_kernels(act: str, level: int, half: bool, bound: float) -> None:
    x = torch.randn(2, 8, 12, 12).contiguous(memory_format=torch.channels_last)
    right, model = step(block(act), x), block(act)
    lean.apply(model, level)
    with triton_on_cpu() as launched, torch.autocast(**BFLOAT16, enabled=half):
        found = step(model, x)
    # The expansion's norm, and the depthwise convolution's with attention; the projection's has
    # no activation. Both features are computed again for the next convolution's gradient.
    assert Counter(launched) == dict(
        moments=2, statistics=2, activate=4, activation_sums=1, gradient_sums=2, input_gradient=2
    )
    for a, b in zip(found, right, strict=True):
        assert (a.double() - b).norm() <= bound * b.double().norm() + 1e-5


def test_what_is_saved_by_triton_kernels() -> None:
    x = torch.randn(2, 8, 12, 12).contiguous(memory_format=torch.channels_last)
    model = block('SiLU')
    lean.apply(model, 1)
    model.se.register_forward_hook(lambda *_: None)
    with triton_on_cpu():
        with_hook = measure_saved_memory(model, x).bytes
        model.se._forward_hooks.clear()
        saved = measure_saved_memory(model, x).bytes
    # Two images of 32 channels on 12 × 12 and 6 × 6 pixels, and of 8 on the latter; statistics.
    features = 4 * 2 * (32 * (12 * 12 + 6 * 6) + 8 * 6 * 6)
    assert features <= saved < 1.05 * features < with_hook
