"""Tables for the console."""

from __future__ import annotations

from effnet_dense.robustness.figures import Figures
from effnet_dense.robustness.text import as_text, values_line
from tests.helpers.stress_figures import figures

EXPECTED = """\
corruption      1      5   mean
fog         0.400  0.200  0.300
shot_noise  0.300  0.100  0.200
mean        0.350  0.150  0.250

attack, ε/255      0      1      2
fgsm           0.500  0.300  0.100

7 images: clean AP (P) 0.500, under corruption (mPC) 0.250, relative (rPC) 50.0%"""


def test_tables() -> None:
    assert as_text(figures()) == EXPECTED


def test_figures_without_a_value() -> None:
    """COCO's −1 without objects, and a share of 0."""
    nothing = Figures('coco/bbox_mAP', 1, {'coco/bbox_mAP': -1})
    assert as_text(nothing) == '1 image: clean AP (P) –'
    zero = Figures('mIoU', 1, {'mIoU': 0}, {'fog': {1: {'mIoU': 0}}})
    assert as_text(zero).endswith(
        '1 image: clean mIoU (P) 0.000, under corruption (mPC) 0.000, relative (rPC) –'
    )


def test_percentages_have_two_decimals() -> None:
    assert as_text(Figures('mIoU', 2, {'mIoU': 69.6})) == '2 images: clean mIoU (P) 69.60'
    assert values_line('mIoU', {0.5: 12.345, 1: 3}) == 'mIoU 0.5: 12.35 1: 3.00'
