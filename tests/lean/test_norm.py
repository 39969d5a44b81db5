"""Batch norm in lean training, over two processes as well."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from effnet_dense.lean.chain import run_chain
from effnet_dense.lean.feature import Feature
from effnet_dense.lean.norm import normalise, supports_norm
from tests.helpers import peers
from tests.helpers.forked import prepare


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
