"""The EfficientNet families' tables and compound rule, compared with the papers' numbers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from effnet_dense.scaling import FAMILIES, architecture, compound, round_filters, round_repeats


def test_b0_is_the_papers_table() -> None:
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
def test_channels_at_strides_8_16_32(arch: Any, channels: tuple[int, ...]) -> None:
    assert architecture(arch).channels()[3:6] == channels


def test_every_family_has_five_strides() -> None:
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
def test_round_filters(filters: int, width: float, rounded: int) -> None:
    assert round_filters(filters, width) == rounded


def test_round_filters_without_a_limit_may_fall_far_below() -> None:
    assert round_filters(10, 1.15, limit=0.0) == 8


def test_round_repeats_rounds_up() -> None:
    assert [round_repeats(n, 1.1) for n in (1, 2, 3, 4)] == [2, 3, 4, 5]


def test_lite_keeps_stem_head_and_end_depths() -> None:
    lite4 = architecture('lite4')
    assert (lite4.stem, lite4.head) == (32, 1280)
    assert [r.repeats for r in lite4.rows] == [1, 4, 4, 6, 6, 8, 1]


def test_edge_tpu_large_expands_from_the_scaled_24() -> None:
    assert architecture('el').rows[0].expand_from == 32  # 24 · 1.2 = 28.8 → 32


def test_edge_tpu_first_row_has_no_shortcut() -> None:
    # Visible in 'em', whose first row has two blocks of the same shape.
    assert [row.shortcut for row in architecture('em').rows] == [False, *[True] * 5]


def test_compound_follows_the_formula() -> None:
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
def test_one_phi_approximates_each_published_row(name: str, phi: Any) -> None:
    published, formula = FAMILIES[name][1], compound(phi)
    for field in ('width', 'depth', 'resolution'):
        ratio = getattr(formula, field) / getattr(published, field)
        assert abs(ratio - 1) <= 0.075, (field, ratio)


def test_architectures_by_phi_and_by_factors() -> None:
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
def test_a_wrong_arch_is_an_error(arch: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        architecture(arch)


def test_scaling_needs_no_torch() -> None:
    code = (
        'import sys; import effnet_dense.scaling as s; s.detector("d0").model(); '
        'sys.exit("torch" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
