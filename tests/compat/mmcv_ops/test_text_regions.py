from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.ops import contour_expand, pixel_group

from tests.reference import mmcv_shapes as reference

SEEDS = st.integers(0, 9999)


def kernels(seed: int, maps: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Nested masks (maps, 9, 12) from large to small, and labels 0 to 4 in the smallest."""
    generator = torch.Generator().manual_seed(seed)
    height = torch.rand(9, 12, generator=generator)
    masks = torch.stack([height < 0.9 - 0.7 * k / max(maps - 1, 1) for k in range(maps)])
    labels = torch.randint(1, 5, (9, 12), generator=generator) * masks[-1]
    return masks.to(torch.uint8), labels.int()


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, maps=st.integers(1, 5), min_area=st.sampled_from([0, 1, 3, 6]))
def test_contours_against_reference(seed: int, maps: int, min_area: int) -> None:
    masks, labels = kernels(seed, maps)
    grown = contour_expand(masks, labels, min_area, 5)
    assert grown == reference.contour_expand(masks, labels, min_area).tolist()
    assert contour_expand(masks.numpy(), labels.numpy(), min_area, 5) == grown


def test_each_map_bounds_its_step() -> None:
    # The first kernel fills the second mask before the third lets the other one reach it.
    labels = torch.tensor([[1, 0, 0, 0, 0, 2]], dtype=torch.int32)
    masks = torch.tensor([[[1, 1, 1, 1, 1, 1]], [[1, 1, 1, 1, 0, 1]], [[1, 0, 0, 0, 0, 1]]])
    assert contour_expand(masks.to(torch.uint8), labels, 0, 3) == [[1, 1, 1, 1, 2, 2]]
    assert contour_expand(masks[[0, 2]].to(torch.uint8), labels, 0, 3) == [[1, 1, 1, 2, 2, 2]]


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, threshold=st.sampled_from([0.2, 0.6, 1.5]))
def test_pixel_groups_against_reference(seed: int, threshold: float) -> None:
    masks, labels = kernels(seed, 2)
    generator = torch.Generator().manual_seed(seed)
    score, contour = torch.rand(2, 9, 12, generator=generator)
    embedding = torch.rand(9, 12, 3, generator=generator)
    contour = ((contour < 0.8) & (labels > 0)).to(torch.uint8)
    operands = (score, masks[0].bool(), embedding, labels, contour, 6, threshold)
    actual, expected = pixel_group(*operands), reference.pixel_group(*operands)
    assert [instance[1:] for instance in actual] == [instance[1:] for instance in expected]
    means = [instance[0] for instance in expected]
    assert [instance[0] for instance in actual] == pytest.approx(means, abs=1e-6)


def test_labels_out_of_range_are_errors() -> None:
    masks, labels = kernels(0, 2)
    score = torch.rand(9, 12)
    with pytest.raises(ValueError, match='within 0 to 2, below kernel_region_num, got 0 to 4'):
        pixel_group(score, masks[0].bool(), torch.rand(9, 12, 3), labels, masks[1], 3, 0.5)
    with pytest.raises(ValueError, match='must not be negative, got -1'):
        contour_expand(masks, labels - 1, 0, 5)
