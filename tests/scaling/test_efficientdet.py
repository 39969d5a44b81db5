"""EfficientDet's table and compound rule, compared with effdet's configurations."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest

from effnet_dense.scaling import (
    DETECTORS,
    FAMILIES,
    Detector,
    architecture,
    compound,
    compound_detector,
    detector,
)


@pytest.mark.parametrize('name', DETECTORS)
def test_detectors_match_the_released_weights(name: str) -> None:
    from effdet import get_efficientdet_config

    ours, theirs = detector(name), get_efficientdet_config(f'tf_efficientdet_{name}')
    assert ours == Detector(
        arch=theirs.backbone_name.removeprefix('tf_efficientnet_'),
        image_size=theirs.image_size[0],
        channels=theirs.fpn_channels,
        cells=theirs.fpn_cell_repeats,
        repeats=theirs.box_class_repeats,
        fusion='sum' if theirs.fpn_name == 'bifpn_sum' else 'fast',
        anchor_scale=theirs.anchor_scale,
        levels=theirs.num_levels,
    )
    assert list(ours.strides()) == [2**level for level in range(3, theirs.max_level + 1)]


# φ → size: (by the rule, published)
ROUNDED_BY_HAND = {
    0: {},
    1: {},
    2: dict(channels=(120, 112)),
    3: {},
    4: dict(channels=(216, 224)),
    5: dict(image_size=(1152, 1280), cells=(8, 7)),
    6: dict(cells=(9, 8)),
    7: dict(
        arch=('b7', 'b6'),
        image_size=(1408, 1536),
        channels=(520, 384),
        cells=(10, 8),
        anchor_scale=(4, 5),
    ),
}


@pytest.mark.parametrize(('phi', 'differences'), ROUNDED_BY_HAND.items())
def test_published_detectors_deviate_from_the_rule_as_documented(
    phi: Any, differences: dict[str, Any]
) -> None:
    rule, published = asdict(compound_detector(phi)), asdict(detector(f'd{phi}'))
    found = {key: (rule[key], published[key]) for key in rule if rule[key] != published[key]}
    assert found == differences


def test_a_detector_between_two_published_detectors() -> None:
    # Between B1 (1.0, 1.1) and B2 (1.1, 1.2); 64 · 1.35^1.5 = 100.4, 512 + 192 = 704 = 5.5 · 128.
    assert compound_detector(1.5) == Detector(
        dict(base='b0', width=1.05, depth=1.15), image_size=768, channels=104, cells=5, repeats=3
    )
    # 64 · 1.35^2.9 = 152.8, and ⌊2.9 ÷ 3⌋ = 0; 512 + 371.2 = 883.2 = 6.9 · 128.
    assert compound_detector(2.9) == Detector(
        dict(base='b0', width=1.19, depth=1.38), image_size=896, channels=152, cells=6, repeats=3
    )
    assert compound_detector(0.5).cells == 4  # halves round up
    overshooting, b2 = compound(1.5), FAMILIES['b2'][1]
    assert overshooting.width > b2.width
    assert overshooting.depth > b2.depth


def test_detectors_grow_with_phi() -> None:
    def sizes(phi: float) -> tuple[int, ...]:
        rule = compound_detector(phi)
        channels = architecture(rule.arch).channels()[3:6]
        return (*channels, rule.image_size, rule.channels, rule.cells, rule.repeats)

    steps = [sizes(quarter / 4) for quarter in range(29)]
    for smaller, larger in pairwise(steps):
        assert all(a <= b for a, b in zip(smaller, larger, strict=True))


def test_a_detectors_sizes_in_a_config() -> None:
    assert detector('lite1').model() == dict(
        backbone=dict(arch='lite1'),
        neck=dict(
            in_channels=[40, 112, 320],
            out_channels=88,
            num_outs=5,
            num_cells=4,
            fusion='sum',
            act_cfg=dict(type='ReLU6', inplace=True),
        ),
        bbox_head=dict(
            in_channels=88,
            stacked_convs=3,
            act_cfg=dict(type='ReLU6', inplace=True),
            anchor_generator=dict(strides=[8, 16, 32, 64, 128], octave_base_scale=3),
        ),
    )
    d7x = detector('d7x').model()
    assert d7x['neck']['num_outs'] == 6
    assert d7x['neck']['act_cfg']['type'] == 'SiLU'
    assert d7x['bbox_head']['anchor_generator']['strides'] == [8, 16, 32, 64, 128, 256]


def test_an_unknown_detector_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"a detector is one of d0, .* lite4; got 'd8'"):
        detector('d8')


@pytest.mark.parametrize('phi', [-0.1, 7.1, float('nan'), '3', True])
def test_a_phi_without_a_detector_is_an_error(phi: Any) -> None:
    with pytest.raises(ValueError, match=f'phi must be a number from 0 to 7, got {phi!r}'):
        compound_detector(phi)
