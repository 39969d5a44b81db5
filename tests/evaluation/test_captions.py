"""Captions: legible colours, and places that are inside the image and apart."""

from __future__ import annotations

import numpy as np
import pytest

from effnet_dense.evaluation.captions import (
    BLACK,
    SMALLEST,
    WHITE,
    draw_captions,
    fitting,
    font,
    font_size,
    line_width,
    place_captions,
    text_colour,
)

CANVAS = (100, 80)  # width, height
SIZE = (30, 10)


@pytest.mark.parametrize(
    ('background', 'ink'),
    [
        ((255, 255, 255), BLACK),
        ((255, 255, 0), BLACK),
        ((0, 200, 0), BLACK),
        ((0, 0, 0), WHITE),
        ((0, 0, 255), WHITE),
        # Greys: (L + 0.05)² = 1.05 · 0.05 at L = 0.179, which is 117.6 of 255.
        ((117, 117, 117), WHITE),
        ((118, 118, 118), BLACK),
    ],
)
def test_black_or_white_by_contrast(
    background: tuple[int, int, int], ink: tuple[int, int, int]
) -> None:
    assert text_colour(background) == ink


@pytest.mark.parametrize(
    ('anchor', 'corner'),
    [
        ([20, 40, 60, 60], (20, 30)),  # above the box
        ([20, 5, 60, 60], (20, 0)),  # moved into the image
        ([90, 40, 99, 60], (70, 30)),
        ([50, 40, 50, 40], (35, 35)),  # centred on a point
    ],
)
def test_a_single_caption(anchor: list[float], corner: tuple[int, int]) -> None:
    assert place_captions(np.array([anchor], float), [SIZE], CANVAS) == [corner]


def test_captions_of_one_box_take_its_free_places() -> None:
    # Later captions choose first: above, inside, below at the left, then the same at the right.
    box = np.array([[10.0, 30, 75, 60]])
    corners = place_captions(np.repeat(box, 7, 0), [SIZE] * 7, CANVAS)
    assert corners[::-1] == [(10, 20), (10, 30), (10, 60), (45, 20), (45, 30), (45, 60), (10, 20)]


def test_captions_of_one_point_stand_above_each_other() -> None:
    point = np.full((3, 4), 40.0)
    assert place_captions(point, [SIZE] * 3, CANVAS) == [(25, 45), (25, 25), (25, 35)]


def test_a_caption_wider_than_the_image_starts_at_its_edge() -> None:
    assert place_captions(np.array([[50.0, 40, 60, 60]]), [(200, 10)], CANVAS) == [(0, 30)]


def test_plates_and_letters() -> None:
    image = np.full((80, 100, 3), 90, np.uint8)
    drawn = draw_captions(image, np.array([[20.0, 40, 60, 60]]), ['cat'], [(255, 255, 0)])
    assert (image == 90).all(), 'the image is copied'
    changed = np.argwhere((drawn != 90).any(2))
    (top, left), (bottom, _) = changed.min(0), changed.max(0)
    assert (bottom, left) == (39, 20), 'the plate ends on the box'
    plate = drawn[top : bottom + 1, left:, :]
    assert (plate[0, 0] == (255, 255, 0)).all()
    assert plate.min() == 0 and len(np.unique(plate.reshape(-1, 3), axis=0)) > 2
    assert (draw_captions(image, np.zeros((0, 4)), [], []) == image).all()


def test_letters_grow_with_the_image() -> None:
    assert [font_size(*size) for size in ((64, 64), (480, 640), (4000, 3000))] == [10, 13, 80]
    assert [line_width(*size) for size in ((64, 64), (480, 640), (4000, 3000))] == [1, 2, 12]


@pytest.mark.parametrize('width', [24, 64, 300])
@pytest.mark.parametrize('text', ['traffic light 0.58', 'a very long name of a class', 'x'])
def test_a_caption_is_not_wider_than_its_image(text: str, width: int) -> None:
    shown, size = fitting(text, 10, width)
    assert font(size).getlength(shown) <= width and SMALLEST <= size <= 10
    assert shown.endswith('0.58') == text.endswith('0.58'), 'the score stays'
    assert width < 300 or (shown, size) == (text, 10)


@pytest.mark.parametrize('side', [64, 4000])
def test_captions_lie_inside_the_image(side: int) -> None:
    """At the upper right corner, too: the plate's edges are seen on all sides."""
    image = np.full((side // 2, side, 3), 90, np.uint8)
    box = np.array([[side * 0.9, 0.0, side, side * 0.3]])
    drawn = draw_captions(image, box, ['traffic light 0.58'], [(255, 255, 0)])
    ys, xs = np.nonzero((drawn != 90).any(2))
    plate = drawn[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    for edge in (plate[0], plate[-1], plate[:, 0], plate[:, -1]):
        assert (edge == (255, 255, 0)).all()
    assert plate.shape[0] > side / 50
