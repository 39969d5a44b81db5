"""Pixels of boxes, masks and label maps, by hand."""

from __future__ import annotations

import numpy as np

from effnet_dense.evaluation.drawing import (
    RED,
    deepest_point,
    draw_boxes,
    draw_label_map,
    draw_masks,
    draw_segments,
    draw_wrong_pixels,
)

GREEN = (0, 200, 0)


def grey(height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def test_a_box_has_lines_of_its_width_inside_of_it() -> None:
    image = grey()
    drawn = draw_boxes(image, np.array([[10.0, 30, 50, 50]]), ['a'], [GREEN], line_width=2)
    assert (image == 100).all()
    for row, column in ((30, 40), (31, 40), (49, 40), (50, 40), (40, 10), (40, 11), (40, 50)):
        assert tuple(drawn[row, column]) == GREEN
    assert (drawn[32:49, 12:49] == 100).all(), 'nothing inside'
    assert (drawn[51:] == 100).all() and (drawn[:, 51:] == 100).all()


def test_boxes_without_size_and_none_at_all() -> None:
    boxes = np.array([[10.0, 30, 10, 30], [20, 40, 15, 38]])  # the second one's corners are swapped
    assert (draw_boxes(grey(), boxes, ['a', 'b'], [GREEN, RED]) != 100).any()
    assert (draw_boxes(grey(), np.zeros((0, 4)), [], []) == 100).all()


def test_masks_tint_and_outline() -> None:
    mask = np.zeros((60, 80), bool)
    mask[20:40, 20:60] = True
    drawn = draw_masks(grey(), [mask], [(200, 0, 100)], opacity=0.25)
    # 0.75 · 100 + 0.25 · (200, 0, 100)
    assert (drawn[25:35, 25:55] == (125, 75, 100)).all()
    assert (drawn[20, 22:58] > 210).all(), 'white, smoothed, on the edge'
    assert (drawn[:18] == 100).all() and (drawn[:, 63:] == 100).all()


def test_a_small_mask_is_scaled_and_later_masks_cover_earlier_ones() -> None:
    left, right = np.zeros((6, 8), np.uint8), np.zeros((6, 8), np.uint8)
    left[:, :5], right[:, 3:] = 1, 1
    drawn = draw_masks(grey(), [left, right], [(0, 0, 0), (200, 200, 200)], opacity=0.5)
    assert (drawn[30, [10, 20]] == 50).all()
    assert (drawn[30, [40, 70]] == 150).all(), 'mixed with the image, not with the other mask'


def test_segments_have_captions_inside() -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:50, 10:70] = True
    empty = np.zeros_like(mask)
    drawn = draw_segments(grey(), [empty, mask], ['none', 'x'], [RED, GREEN], opacity=0)
    # Without tint, what is green is the plate, around the mask's middle (39.5, 29.5).
    rows, columns = np.nonzero((drawn == GREEN).all(2))
    assert rows.min() > 20 and rows.max() < 40 and columns.min() > 30 and columns.max() < 50
    assert not (drawn == RED).all(2).any()
    assert (draw_segments(grey(), [empty], ['none'], [RED]) == 100).all()


def test_a_label_map_leaves_unknown_labels_uncoloured() -> None:
    palette = np.array([[0, 0, 0], [200, 0, 100]], np.uint8)
    labels = np.array([[0, 1], [255, 2]], np.uint8)
    drawn = draw_label_map(grey(), labels, palette, opacity=0.5)
    assert (drawn[:30, :40] == 50).all()
    assert (drawn[:30, 40:] == (150, 50, 100)).all()
    assert (drawn[30:] == 100).all()


def test_a_label_map_names_each_class_once_where_it_is_widest() -> None:
    palette = np.array([[0, 0, 250], [250, 250, 0]], np.uint8)
    labels = np.zeros((60, 80), np.uint8)
    labels[:10, :10] = labels[30:, 30:] = 1
    drawn = draw_label_map(grey(), labels, palette, ['sea', 'sand'], opacity=0.5)
    plate = (drawn == palette[1]).all(2)
    assert plate[30:, 30:].any() and not plate[:20].any()
    assert (drawn == palette[0]).all(2).any()


def test_wrong_pixels_are_red_and_ignored_ones_grey() -> None:
    truth = np.array([[0, 1], [9, 1]], np.uint8)
    prediction = np.array([[0, 0], [1, 1]], np.uint8)
    drawn = draw_wrong_pixels(grey(), prediction, truth, classes=2)
    pale = 100 // 2 + 90
    expected = [int(0.25 * pale + 0.75 * value) for value in RED]
    assert (drawn[:30, 40:] == expected).all()
    assert (drawn[:30, :40] == pale).all() and (drawn[30:] == pale).all()


def test_the_deepest_point_is_inside() -> None:
    mask = np.zeros((50, 50), bool)
    mask[5:45, 5:45] = True
    mask[10:40, 15:45] = False  # a C, whose left stroke is the widest; its centre is empty
    x, y = deepest_point(mask)
    assert x in (9, 10) and 20 <= y < 30, 'in the middle of the stroke'
    alone = np.zeros((5, 7), np.uint8)
    alone[4, 6] = 1
    assert deepest_point(alone) == (6, 4)
