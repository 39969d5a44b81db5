"""What a measurement sets in the process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from effnet_dense.analysis.settings import Settings


@pytest.fixture
def _restored() -> Iterator[None]:
    backends = torch.backends.cudnn, torch.backends.cuda.matmul
    before = torch.backends.cudnn.benchmark, *(each.allow_tf32 for each in backends)
    yield
    torch.backends.cudnn.benchmark = before[0]
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before[1:]


@pytest.mark.usefixtures('_restored')
@pytest.mark.parametrize('tf32', [True, False])
def test_on_a_gpu_as_users_train(tf32: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    torch.backends.cudnn.benchmark = False
    Settings(tf32=tf32).apply()
    assert not torch.backends.cudnn.benchmark
    Settings(device='cuda', tf32=tf32).apply()
    assert torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.allow_tf32 == torch.backends.cuda.matmul.allow_tf32 == tf32
