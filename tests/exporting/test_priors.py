"""Priors from their positions are mmdet's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet.registry import TASK_UTILS
from mmengine.registry import init_default_scope

from effnet_dense.exporting.onnx_file import to_onnx
from effnet_dense.exporting.priors import Priors
from effnet_dense.models.anchors import EfficientDetAnchorGenerator

SIZES = [(5, 7), (3, 4), (2, 2)]
GENERATORS = [
    dict(
        type='AnchorGenerator',
        octave_base_scale=4,
        scales_per_octave=3,
        ratios=[0.5, 1.0, 2.0],
        strides=[8, 16, 32],
    ),
    dict(
        type='AnchorGenerator',
        scales=[8],
        ratios=[1.0, 0.3],
        strides=[(4, 8), (8, 16), (16, 32)],
        center_offset=0.5,
    ),
    dict(type='MlvlPointGenerator', strides=[8, 16, 32]),
    dict(type='MlvlPointGenerator', strides=[8, 16, 32], offset=0),
    dict(  # levels with different numbers of priors
        type='SSDAnchorGenerator',
        min_sizes=[16, 32, 48],
        max_sizes=[32, 48, 64],
        strides=[8, 16, 32],
        ratios=[[2], [2, 3], [2]],
    ),
]


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope('mmdet')


@pytest.mark.parametrize('config', GENERATORS, ids=lambda config: config['type'])
def test_are_those_of_the_generator(config: dict[str, Any]) -> None:
    generator = TASK_UTILS.build(config)
    expected = generator.grid_priors(SIZES, device='cpu')
    priors = Priors(generator, SIZES)
    assert priors.counts == [len(level) for level in expected]
    assert torch.equal(priors.all(), torch.cat(expected))
    index = torch.randint(sum(priors.counts), (2, 9), generator=torch.Generator().manual_seed(0))
    assert torch.equal(priors(index), torch.cat(expected)[index])


def test_of_efficientdet_have_cells_that_are_no_whole_pixels() -> None:
    generator = EfficientDetAnchorGenerator([8, 16, 32, 64, 128])
    sizes = [(40, 28), (20, 14), (10, 7), (5, 4), (3, 2)]
    expected = torch.cat(generator.grid_priors(sizes, device='cpu'))
    torch.testing.assert_close(Priors(generator, sizes).all(), expected, rtol=0, atol=1e-4)


def test_are_no_table_in_files() -> None:
    generator = TASK_UTILS.build(GENERATORS[0])
    few, many = (_bytes(generator, side) for side in (16, 64))
    assert many - few < 100


def _bytes(generator: Any, side: int) -> int:
    priors = Priors(generator, [(side, side), (side // 2, side // 2), (side // 4, side // 4)])
    index = torch.tensor([[0, 7], [3, 5]])
    return to_onnx(priors, [index], ['index'], ['priors']).ByteSize()
