"""Bytes that operators read and write, by hand, and of a complete network."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import bytes_moved, features
from benchmarks.bytes_moved import ByteCounter, collect, count_bytes, gpu_without_memory
from effnet_dense.analysis.settings import Settings
from effnet_dense.ops import triton_norm

A, B = torch.ones(2, 3, 4, 5), torch.ones(2, 3, 4, 5, dtype=torch.bfloat16)
FLOATS = 4 * A.numel()


@pytest.mark.parametrize(
    ('run', 'expected'),
    [
        (lambda: A + A[:, :1], FLOATS + FLOATS // 3 + FLOATS),
        (lambda: A + 1, 2 * FLOATS),
        (lambda: A.view(-1)[3:].detach(), 0),
        (lambda: A + A[:1, :1, :1, :1].expand_as(A), 2 * FLOATS + 4),
        (lambda: torch.empty_like(A), 0),
        (lambda: torch.zeros_like(A), FLOATS),
        (lambda: A.clone().relu_(), 4 * FLOATS),
        (lambda: A.clone().copy_(B), 2 * FLOATS + FLOATS // 2 + FLOATS),
        (lambda: B.float(), FLOATS // 2 + FLOATS),
        (lambda: torch.add(A, A, out=torch.empty_like(A)), 3 * FLOATS),
    ],
)
def test_operators_by_hand(run: Callable[[], object], expected: int) -> None:
    with ByteCounter() as counter:
        run()
    assert counter.operators == counter.kernels == expected


def test_calls() -> None:
    with ByteCounter() as counter:
        (A[0] + 1).detach()  # select, add
    assert counter.calls == 2


def test_what_kernels_read_twice() -> None:
    x, weight = A.clone().requires_grad_(), torch.ones(3, 1, 1, 1, requires_grad=True)
    with ByteCounter() as counter:
        out = F.batch_norm(x, None, None, training=True)
    assert counter.operators == 2 * FLOATS + 2 * 4 * 3  # mean and 1 ÷ σ
    assert counter.kernels - counter.operators == FLOATS
    with ByteCounter() as counter:
        out.backward(A)
    assert counter.kernels - counter.operators == 2 * FLOATS
    out = F.conv2d(x, weight, groups=3)
    with ByteCounter() as counter:
        torch.autograd.grad(out, [x, weight], A)
    assert counter.operators == 3 * FLOATS + 2 * 4 * 3
    assert counter.kernels - counter.operators == FLOATS


def test_tritons_passes_by_hand() -> None:
    """Three passes over a feature, and five back, also in the place of the gradient."""
    x, norm = torch.empty(8, 64, 64, 64, device='meta'), torch.nn.BatchNorm2d(64, device='meta')
    size, own = 4 * x.numel(), (norm.weight, norm.bias)
    x.requires_grad_()
    for owned in (True, False):
        with gpu_without_memory(), ByteCounter() as counter:
            assert triton_norm.supports(x, *own)
            out = triton_norm.norm_act_in_training(x, *own, norm, 'silu', owned)[0]
            assert 3 * size < counter.operators < 3.01 * size
            torch.autograd.grad(out, x, torch.empty_like(out))
        assert 8 * size < counter.operators < 8.01 * size
    assert triton_norm.DEVICES == ('cuda',)


@pytest.fixture(scope='module')
def ratios() -> dict[str, float]:
    """B0's networks at 512 px in bf16: name → bytes of operators, ÷ those of timm's."""
    settings = Settings(512, batch=8)
    ours = features.ours('b0', [0, 1, 2], True)
    found: dict[str, Tensor] = {}
    for implementation in collect(ours, features.PEERS, 'b0', ['timm', 'timm-plain']):
        with gpu_without_memory():
            found[implementation.name] = count_bytes(implementation.build(settings), settings)
    first = next(iter(found.values())).operators
    return {name: count.operators / first for name, count in found.items()}


def test_lean_training_moves_less_than_timm(ratios: dict[str, float]) -> None:
    assert [*ratios][2:] == [f'ours b0, lean {n}' for n in range(3)]
    _, without_padding, plain, level_1, level_2 = ratios.values()
    assert 0.9 <= plain <= 0.93  # timm's SiLU, in place, copies its input for the gradient
    assert level_1 <= 0.69
    assert level_2 <= 0.72
    assert level_1 <= 0.9 * without_padding


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    bytes_moved.main(['--name', '', '--size', '128', '--batch', '16', '--lean', '0', '1'])
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split('│')[1].strip() for line in lines if line.startswith('│')]
    assert rows[2:] == ['ours b0, lean 0', 'ours b0, lean 1', 'ours b0, lean 1, Triton']
