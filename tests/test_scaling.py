import subprocess
import sys
from dataclasses import asdict
from itertools import pairwise

import pytest

from effnet_dense.scaling import (
    DETECTORS,
    FAMILIES,
    Detector,
    architecture,
    compound,
    compound_detector,
    detector,
    round_filters,
    round_repeats,
)


def test_b0_is_the_papers_table():
    rows = [
        (r.kernel, r.stride, r.expand, r.channels, r.repeats, r.se) for r in architecture('b0').rows
    ]
    assert rows == [
        (3, 1, 1, 16, 1, 0.25),
        (3, 2, 6, 24, 2, 0.25),
        (5, 2, 6, 40, 2, 0.25),
        (3, 2, 6, 80, 3, 0.25),
        (5, 1, 6, 112, 3, 0.25),
        (5, 2, 6, 192, 4, 0.25),
        (3, 1, 6, 320, 1, 0.25),
    ]
    assert architecture('b0').channels() == (32, 16, 24, 40, 112, 320, 1280)


@pytest.mark.parametrize(
    ('arch', 'channels'),
    [('b0', (40, 112, 320)), ('b3', (48, 136, 384)), ('b7', (80, 224, 640))],
)
def test_channels_at_strides_8_16_32(arch, channels):
    assert architecture(arch).channels()[3:6] == channels


def test_every_family_has_five_strides():
    for name in FAMILIES:
        assert len(architecture(name).layers()) == 5, name


@pytest.mark.parametrize(
    ('filters', 'width', 'rounded'),
    [
        (32, 1.0, 32),
        (32, 1.1, 32),  # 35.2 → nearest multiple 32, and 32 ≥ 0.9 · 35.2
        (16, 1.4, 24),  # 22.4 → 24
        (24, 1.1, 24),  # 26.4 → 24, and 24 ≥ 0.9 · 26.4 = 23.76
        (10, 1.15, 16),  # 11.5 → 8 is below 0.9 · 11.5, so 16
        (3, 1.0, 8),  # never below 8
    ],
)
def test_round_filters(filters, width, rounded):
    assert round_filters(filters, width) == rounded


def test_round_filters_without_a_limit_may_fall_far_below():
    assert round_filters(10, 1.15, limit=0.0) == 8


def test_round_repeats_rounds_up():
    assert [round_repeats(n, 1.1) for n in (1, 2, 3, 4)] == [2, 3, 4, 5]


def test_lite_keeps_stem_head_and_end_depths():
    lite4 = architecture('lite4')
    assert (lite4.stem, lite4.head) == (32, 1280)
    assert [r.repeats for r in lite4.rows] == [1, 4, 4, 6, 6, 8, 1]


def test_edge_tpu_large_expands_from_the_scaled_24():
    assert architecture('el').rows[0].expand_from == 32  # 24 · 1.2 = 28.8 → 32


def test_edge_tpu_first_row_has_no_shortcut():
    # Visible in 'em', whose first row has two blocks of the same shape.
    assert [row.shortcut for row in architecture('em').rows] == [False, *[True] * 5]


def test_compound_follows_the_formula():
    scale = compound(1)
    assert (scale.width, scale.depth, scale.resolution) == (1.1, 1.2, 258)  # 224 · 1.15 = 257.6
    other = compound(2, alpha=2.0, beta=3.0, gamma=1.0)
    assert (other.depth, other.width, other.resolution) == (4.0, 9.0, 224)
    assert compound(0) == compound(0.0)


# The φ of each row whose largest relative error is smallest.
@pytest.mark.parametrize(
    ('name', 'phi'),
    [
        ('b1', 0.34),
        ('b2', 1.025),
        ('b3', 1.935),
        ('b4', 3.445),
        ('b5', 4.645),
        ('b6', 5.61),
        ('b7', 6.55),
    ],
)
def test_one_phi_approximates_each_published_row(name, phi):
    published, formula = FAMILIES[name][1], compound(phi)
    for field in ('width', 'depth', 'resolution'):
        ratio = getattr(formula, field) / getattr(published, field)
        assert abs(ratio - 1) <= 0.075, (field, ratio)


def test_architectures_by_phi_and_by_factors():
    assert architecture(dict(phi=0)).rows == architecture('b0').rows
    assert architecture(dict(base='b0', width=1.2, depth=1.4)).rows == architecture('b3').rows
    assert architecture(dict(phi=0, base='v2_s')).rows == architecture('v2_s').rows


@pytest.mark.parametrize(
    ('arch', 'message'),
    [
        ('b9', "arch must be one of b0, .* got 'b9'"),
        (3, 'arch must be a name or a dict, got 3'),
        (dict(base='b1', width=1.0), r"arch\['base'\] must be one of b0, .* got 'b1'"),
        (dict(phi='big'), "phi must be a number from -20 to 20, got 'big'"),
        (dict(phi=float('nan')), 'phi must be a number from -20 to 20, got nan'),
        (dict(phi=1, width=2), r"takes \('base', 'phi', .* got also \['width'\]"),
        (dict(base='b0'), "needs 'phi', or 'width' and 'depth'"),
        (dict(width=-1.0, depth=1.0), r"arch\['width'\] must be a number above 0, .* got -1.0"),
    ],
)
def test_a_wrong_arch_is_an_error(arch, message):
    with pytest.raises(ValueError, match=message):
        architecture(arch)


@pytest.mark.parametrize('name', DETECTORS)
def test_detectors_match_the_released_weights(name):
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
def test_published_detectors_deviate_from_the_rule_as_documented(phi, differences):
    rule, published = asdict(compound_detector(phi)), asdict(detector(f'd{phi}'))
    found = {key: (rule[key], published[key]) for key in rule if rule[key] != published[key]}
    assert found == differences


def test_a_detector_between_two_published_detectors():
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


def test_detectors_grow_with_phi():
    def sizes(phi):
        rule = compound_detector(phi)
        channels = architecture(rule.arch).channels()[3:6]
        return (*channels, rule.image_size, rule.channels, rule.cells, rule.repeats)

    steps = [sizes(quarter / 4) for quarter in range(29)]
    for smaller, larger in pairwise(steps):
        assert all(a <= b for a, b in zip(smaller, larger, strict=True))


def test_a_detectors_sizes_in_a_config():
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


def test_an_unknown_detector_is_an_error():
    with pytest.raises(ValueError, match=r"a detector is one of d0, .* lite4; got 'd8'"):
        detector('d8')


@pytest.mark.parametrize('phi', [-0.1, 7.1, float('nan'), '3', True])
def test_a_phi_without_a_detector_is_an_error(phi):
    with pytest.raises(ValueError, match=f'phi must be a number from 0 to 7, got {phi!r}'):
        compound_detector(phi)


def test_scaling_needs_no_torch():
    code = (
        'import sys; import effnet_dense.scaling as s; s.architecture("b7"); '
        'sys.exit("torch" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
