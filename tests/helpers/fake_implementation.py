"""A peer whose every figure can be derived by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.ceilings import Ceilings
from benchmarks.comparison import Comparison, Row
from benchmarks.implementation import Implementation, Peer, Unavailable
from effnet_dense.analysis.settings import Settings

SIZE = 32


class FakeNetwork(nn.Module):
    """Two 1×1 convolutions, each with a norm; the second is used twice, as effdet's heads are."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.twice = nn.Conv2d(4, 4, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(2))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.norm(self.first(x))
        return [norm(self.twice(x)) for norm in self.norms]


PARAMETERS = 12 + 8 + 16 + 2 * 8
GFLOPS = (12 + 2 * 16) * SIZE**2 / 1e9
# Bytes per image: the outputs of the three convolutions and of the first norm. Statistics: mean
# and 1 ÷ σ of three norms, once a batch.
MAPS = 4 * 4 * SIZE**2 * 4
STATISTICS = 3 * 2 * 4 * 4


def make(name: str) -> nn.Module:
    return FakeNetwork()


def find(arch: str) -> str | None:
    return 'fake' if arch == 'b0' else None


def find_in_a_missing_package(arch: str) -> str | None:
    raise ImportError('no module named missing')


PEERS = [
    Peer('fake', 'fake', find, make, 'two maps'),
    Peer('missing', 'missing-package', find_in_a_missing_package, make, ''),
]


def implementation(name: str = 'fake', mode: str = 'plain') -> Implementation:
    return Implementation('fake', name, FakeNetwork, 'two maps', mode=mode)


def images(batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def comparison(**times: list[float]) -> Comparison:
    """Rows of these step times."""
    rows = [
        Row('ours' if name == 'ours' else 'fake', name, 'maps', 'NCHW', 'plain', 1000, 0.5, 8, 10)
        for name in times
    ]
    for row, step in zip(rows, times.values(), strict=True):
        row.step = step
    machine = {'processor': 'abacus', 'threads': 1, 'versions': {'torch': '2'}}
    ceilings = Ceilings(gflops=100.0, copy_gb=10.0)
    unavailable = [Unavailable('lost', 'gone')]
    return Comparison('train x', Settings(32), machine, ceilings, rows, unavailable)
