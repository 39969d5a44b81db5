"""The table of compiled training: graphs, saved memory and what is computed again."""

from __future__ import annotations

import pytest
import torch

from benchmarks.compiled import measure, network_of
from effnet_dense.models import EfficientNet


@pytest.mark.slow
def test_levels_save_less_and_compute_more() -> None:
    x = torch.randn(1, 3, 64, 64)
    arch = dict(base='b0', width=0.25, depth=0.3)
    rows = [measure(EfficientNet(arch, out_indices=(2,)).train(), x, level) for level in (0, 1)]
    torch._dynamo.reset()
    assert [(row['lean'], row['graphs'], row['breaks']) for row in rows] == [(0, 1, 0), (1, 1, 0)]
    assert rows[0]['saved MiB'] > rows[1]['saved MiB'] > 0
    assert rows[0]['computed again'] < rows[1]['computed again']
    for row in rows:
        assert float(row['outputs differ by']) < 1e-5
        assert 0 < float(row['gradients by']) < 1e-4


def test_networks() -> None:
    assert type(network_of('lite0')).__name__ == 'EfficientNet'
    assert hasattr(network_of('d0'), 'bbox_head')
    with pytest.raises(ValueError, match='unknown'):
        network_of('unknown')
