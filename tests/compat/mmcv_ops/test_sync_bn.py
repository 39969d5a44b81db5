from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from mmcv.ops import SyncBatchNorm
from mmengine.model import revert_sync_batchnorm
from torch import nn

from tests.helpers.forked import start_forked


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    """A gloo group of this process alone, which mmcv's layer needs to be built."""
    dist.init_process_group('gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures('process_group')
@pytest.mark.parametrize('stats_mode', ['default', 'N'])
@pytest.mark.parametrize('momentum', [0.1, None])
def test_equals_batch_norm_in_one_process(stats_mode: str, momentum: float | None) -> None:
    torch.manual_seed(0)
    ours = SyncBatchNorm(3, momentum=momentum, stats_mode=stats_mode)
    theirs = nn.BatchNorm2d(3, momentum=momentum)
    theirs.load_state_dict(ours.state_dict())
    for step in range(2):
        x = 2 * torch.randn(4, 3, 5, 7) + step
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        actual, expected = ours(a), theirs(b)
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)
        cotangent = torch.randn_like(x)
        actual.backward(cotangent)
        expected.backward(cotangent)
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures('process_group')
def test_half_input_and_empty_batch() -> None:
    layer = SyncBatchNorm(3)
    x = torch.randn(2, 3, 4, 4).half().requires_grad_()
    output = layer(x)
    assert output.dtype == torch.float16
    torch.testing.assert_close(output.float().mean((0, 2, 3)), torch.zeros(3), rtol=0, atol=1e-2)
    output.float().square().sum().backward()
    assert x.grad.isfinite().all()
    before = layer.running_mean.clone()
    empty = torch.zeros(0, 3, 4, 4, requires_grad=True)
    layer(empty).sum().backward()
    torch.testing.assert_close(layer.running_mean, before)


@pytest.mark.usefixtures('process_group')
def test_mmengine_reverts_it() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), SyncBatchNorm(2), nn.SyncBatchNorm(2))
    reverted = revert_sync_batchnorm(model)
    kinds = (SyncBatchNorm, nn.SyncBatchNorm)
    assert not any(isinstance(module, kinds) for module in reverted.modules())
    assert reverted(torch.zeros(1, 1, 2, 2)).shape == (1, 2, 2, 2)


TWO_PROCESSES = """
import os, sys, torch, torch.distributed as dist
import effnet_dense
from mmcv.ops import SyncBatchNorm
rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group('gloo', init_method='file://' + store, rank=rank, world_size=2)
torch.manual_seed(0)
layer, whole = SyncBatchNorm(3), torch.nn.BatchNorm2d(3)
whole.load_state_dict(layer.state_dict())
x = torch.randn(4, 3, 5, 5) * torch.arange(1.0, 5.0).view(4, 1, 1, 1)
a, b = x[2 * rank : 2 * rank + 2].clone().requires_grad_(), x.clone().requires_grad_()
mine, all_of_it = layer(a), whole(b)
torch.testing.assert_close(mine, all_of_it[2 * rank : 2 * rank + 2], rtol=1e-5, atol=1e-5)
(mine ** 3).sum().backward()
(all_of_it ** 3).sum().backward()
torch.testing.assert_close(a.grad, b.grad[2 * rank : 2 * rank + 2], rtol=1e-4, atol=1e-4)
torch.testing.assert_close(layer.running_var, whole.running_var, rtol=1e-5, atol=1e-5)
dist.barrier()
dist.destroy_process_group()
os._exit(0)  # gloo's threads may abort while the interpreter ends (pytorch#179291)
"""


@pytest.mark.slow
def test_two_processes_share_their_statistics(tmp_path: Path) -> None:
    logs = [tmp_path / f'log{rank}' for rank in range(2)]
    processes = [
        start_forked(log, '-c', TWO_PROCESSES, rank, tmp_path / 'store')
        for rank, log in enumerate(logs)
    ]
    for process, log in zip(processes, logs, strict=True):
        assert process.wait(timeout=120) == 0, log.read_text(encoding='utf-8')
