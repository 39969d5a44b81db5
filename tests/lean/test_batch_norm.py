"""Batch norm in two passes, in one process and over two."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn

from effnet_dense.lean import chain
from effnet_dense.lean.backward import NormStep
from effnet_dense.lean.batch_norm import normalise, normalise_again, supports_recomputation
from effnet_dense.lean.chain import run_chain
from effnet_dense.lean.recompute import _Recomputed
from tests.helpers import peers
from tests.helpers.forked import prepare


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('affine', [True, False])
def test_both_passes_are_torchs_to_the_bit(training, affine):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(5, affine=affine).train(training)
    for tensor in (norm.weight, norm.bias, norm.running_var):
        if tensor is not None:
            nn.init.uniform_(tensor, 0.5, 1.5)
    theirs = copy.deepcopy(norm)
    x = torch.randn(3, 5, 4, 6, requires_grad=True)
    with torch.no_grad():
        first, *known = normalise(norm, training, x, norm.weight, norm.bias)
    expected = theirs(x)
    assert torch.equal(first, expected)
    for a, b in zip(norm.buffers(), theirs.buffers(), strict=True):
        assert torch.equal(a, b)
    gradient = torch.randn(x.shape)
    right = torch.autograd.grad(expected, [x, *theirs.parameters()], gradient)
    if training:
        own = dict(norm.named_parameters())
        step = NormStep(x.detach(), own, tuple(known), norm.eps, True, [True] * len(own))
        torch.testing.assert_close(step.out, expected)
        (to_x,), rest = step.backward(gradient)
        ours = [to_x, *rest]
    else:
        again = normalise_again(norm, training, x, norm.weight, norm.bias, *known)
        assert torch.equal(again, expected)
        ours = torch.autograd.grad(again, [x, *norm.parameters()], gradient)
    for a, b in zip(ours, right, strict=True):
        assert torch.equal(a, b)


def test_which_norms_are_known():
    assert supports_recomputation(nn.BatchNorm2d(3))
    assert supports_recomputation(nn.SyncBatchNorm(3))
    assert not supports_recomputation(nn.BatchNorm2d(3, momentum=None))
    assert not supports_recomputation(nn.BatchNorm2d(3, track_running_stats=False))
    assert not supports_recomputation(nn.GroupNorm(3, 3))

    class Other(nn.BatchNorm2d):
        def forward(self, x: Tensor) -> Tensor:
            return x

    assert not supports_recomputation(Other(3))


def _part_of_the_batch(rank: int, folder: str) -> None:
    """SyncBN → SiLU → convolution over two processes, against BN over the whole batch."""
    torch.set_num_threads(1)
    chain.MIN_BYTES = 0  # in a process of its own
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
    assert isinstance(found.grad_fn, _Recomputed._backward_cls)
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
def test_synchronised_over_two_processes(tmp_path):
    prepare()
    mp.start_processes(_part_of_the_batch, (str(tmp_path),), 2, start_method='forkserver')
