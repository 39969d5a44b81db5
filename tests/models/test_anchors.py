"""Anchors by hand, and beside mmdet's."""

import pytest
import torch

from effnet_dense.models import EfficientDetAnchorGenerator

STRIDES = [8, 16, 32, 64, 128]


def levels(height, width):
    return [(-(-height // stride), -(-width // stride)) for stride in STRIDES]


def test_number_at_512():
    priors = EfficientDetAnchorGenerator(STRIDES).grid_priors(levels(512, 512), device='cpu')
    assert [len(level) for level in priors] == [36864, 9216, 2304, 576, 144]
    assert sum(map(len, priors)) == 49_104


def test_first_cell_and_order():
    finest = EfficientDetAnchorGenerator(STRIDES).grid_priors(levels(512, 512), device='cpu')[0]
    # Centre (4, 4); 4 · 8 = 32 pixels; then 32 · (1.4, 0.7) and 32 · (0.7, 1.4).
    expected = [[-12, -12, 20, 20], [-18.4, -7.2, 26.4, 15.2], [-7.2, -18.4, 15.2, 26.4]]
    torch.testing.assert_close(finest[:3], torch.tensor(expected))
    # The next scale is 2^⅓ times as large, the next cell eight pixels further to the right.
    width = 32 * 2 ** (1 / 3)
    torch.testing.assert_close(finest[3, 2] - finest[3, 0], torch.tensor(width))
    torch.testing.assert_close(finest[9], finest[0] + torch.tensor([8.0, 0, 8, 0]))
    torch.testing.assert_close(finest[9 * 64], finest[0] + torch.tensor([0, 8.0, 0, 8]))


def test_cells_divide_the_image_evenly():
    """At 320 pixels P7 has three cells of 106.7, not of 128, as effdet has it."""
    coarsest = EfficientDetAnchorGenerator(STRIDES).grid_priors(levels(320, 320), device='cpu')[4]
    assert len(coarsest) == 9 * 9
    cell = 320 / 3
    torch.testing.assert_close(
        coarsest[0], torch.tensor([0.5 - 2, 0.5 - 2, 0.5 + 2, 0.5 + 2]) * cell
    )
    torch.testing.assert_close(coarsest[-9], coarsest[0] + 2 * cell)


def test_ratios_of_the_paper_are_mmdets():
    from mmdet.models.task_modules.prior_generators import AnchorGenerator

    root = 2**0.5
    ours = EfficientDetAnchorGenerator(STRIDES, [(1, 1), (root, 1 / root), (1 / root, root)])
    theirs = AnchorGenerator(
        STRIDES, [1, 0.5, 2], None, None, False, octave_base_scale=4, scales_per_octave=3,
        center_offset=0.5,
    )  # fmt: skip
    sizes = levels(256, 384)
    for level, (a, b) in enumerate(
        zip(
            ours.grid_priors(sizes, device='cpu'),
            theirs.grid_priors(sizes, device='cpu'),
            strict=True,
        )
    ):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)
        torch.testing.assert_close(ours.base_anchors[level], theirs.base_anchors[level])
    plain = EfficientDetAnchorGenerator(STRIDES).grid_priors(sizes, device='cpu')
    difference = max(
        (a - b).abs().max().item()
        for a, b in zip(plain, theirs.grid_priors(sizes, device='cpu'), strict=True)
    )
    assert 5 < difference < 6  # pixels, at P7


def test_wrong_number_of_levels():
    with pytest.raises(ValueError, match=r'expected 5 levels, .* got 2'):
        EfficientDetAnchorGenerator(STRIDES).grid_priors([(8, 8), (4, 4)], device='cpu')
