"""CVAT's XML: rotated boxes, ellipses, groups, masks, jobs and labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from effnet_dense.data.formats.detect import find_dataset
from effnet_dense.data.formats.found import FoundData
from tests.helpers.export_source import decoded

SIZE = {'width': 40, 'height': 30}
LABELS = '<label><name>zebra</name><type>any</type></label><label><name>ant</name></label>'


def xml(
    shapes: str, labels: str = LABELS, image: str = 'name="a.png" width="40" height="30"'
) -> str:
    meta = f'<meta><task><labels>{labels}</labels></task></meta>'
    return f'<annotations>{meta}<image id="0" {image}>{shapes}</image></annotations>'


def read(root: Path, *contents: str) -> FoundData:
    root.mkdir(parents=True, exist_ok=True)
    for i, content in enumerate(contents):
        (root / f'job_{i}.xml').write_text(content, encoding='utf-8')
    return find_dataset(root, root.parent / 'unpacked')


def entries(found: FoundData) -> list[dict[str, Any]]:
    return found.splits['all'].data['annotations']


def box(left: float, top: float, right: float, bottom: float, more: str = '') -> str:
    corners = f'xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"'
    return f'<box label="ant" {corners} {more}/>'


@pytest.mark.parametrize(
    ('degrees', 'corners', 'enclosing'),
    [
        (90, [25, 5, 25, 25, 15, 25, 15, 5], [15, 5, 10, 20]),
        (180, [30, 20, 10, 20, 10, 10, 30, 10], [10, 10, 20, 10]),
        (30, None, [8.8397, 5.6699, 22.3205, 18.6603]),
    ],
)
def test_rotated_boxes(
    degrees: float, corners: list[float] | None, enclosing: list[float], tmp_path: Path
) -> None:
    """Clockwise about the centre, as CVAT's interface and its COCO export have them."""
    (entry,) = entries(read(tmp_path, xml(box(10, 10, 30, 20, f'rotation="{degrees}"'))))
    assert entry['bbox'] == pytest.approx(enclosing, abs=1e-3)
    if corners is not None:
        assert entry['segmentation'][0] == pytest.approx(corners)


def test_plain_boxes_have_no_mask(tmp_path: Path) -> None:
    (entry,) = entries(read(tmp_path, xml(box(1.25, 2, 9.5, 20, 'rotation="0.00"'))))
    assert entry['bbox'] == [1.25, 2, 8.25, 18]
    assert 'segmentation' not in entry


def test_ellipses(tmp_path: Path) -> None:
    shapes = '<ellipse label="ant" cx="20" cy="15" rx="10" ry="5" rotation="90"/>'
    (entry,) = entries(read(tmp_path, xml(shapes)))
    assert entry['bbox'] == pytest.approx([15, 5, 10, 20])
    y, x = np.mgrid[:30, :40] + 0.5
    disc = ((x - 20) / 5) ** 2 + ((y - 15) / 10) ** 2 < 1
    assert (decoded(entry, SIZE) != disc).mean() < 0.01


def test_masks_run_along_rows(tmp_path: Path) -> None:
    shapes = '<mask label="ant" rle="1, 2, 4, 1, 2, 2" left="10" top="20" width="4" height="3"/>'
    (entry,) = entries(read(tmp_path, xml(shapes)))
    expected = np.zeros((30, 40), bool)
    expected[20:23, 10:14] = [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 1, 1]]
    np.testing.assert_array_equal(decoded(entry, SIZE), expected)
    assert entry['bbox'] == [11, 20, 3, 3]


def test_shapes_of_a_group_are_one_object(tmp_path: Path) -> None:
    polygons = [
        f'<polygon label="ant" points="{x},1;{x + 5},1;{x},9" group_id="3"/>' for x in (1, 20)
    ]
    boxes = [box(1, 1, 5, 5, 'group_id="3"'), box(9, 9, 12, 12, 'group_id="3"')]
    found = read(tmp_path, xml(''.join([*polygons, *boxes])))
    assert [entry['bbox'] for entry in entries(found)] == [
        [1, 1, 24, 8],
        [1, 1, 4, 4],
        [9, 9, 3, 3],
    ]
    assert '1 object has several shapes, of the same group' in found.remarks
    assert '2 boxes among other shapes have their rectangle as mask' in found.remarks


def test_labels_keep_their_order(tmp_path: Path) -> None:
    labels = LABELS + (
        '<label><name>road</name><type>tag</type></label>'
        '<label><name>body</name><type>skeleton</type></label>'
        '<label><name>knee</name><type>points</type><parent>body</parent></label>'
    )
    categories = read(tmp_path, xml(box(1, 1, 5, 5), labels)).splits['all'].data['categories']
    assert [category['name'] for category in categories] == ['zebra', 'ant']


def test_shapes_without_an_area_are_counted(tmp_path: Path) -> None:
    shapes = '<tag label="ant"/><points label="ant" points="1,1"/><tag label="ant"/>'
    found = read(tmp_path, xml(shapes + box(1, 1, 5, 5)))
    assert len(entries(found)) == 1
    assert '2 × <tag>, which has no area, is left out' in found.remarks


def test_jobs_that_share_an_image_are_united(tmp_path: Path) -> None:
    first = xml(box(1, 1, 5, 5) + box(2, 2, 6, 6))
    second = xml(box(2, 2, 6, 6) + box(3, 3, 7, 7))
    third = xml(box(4, 4, 8, 8), image='name="b.png" width="40" height="30"')
    data = read(tmp_path, first, second, third).splits['all'].data
    assert [image['file_name'] for image in data['images']] == ['a.png', 'b.png']
    assert [entry['bbox'][0] for entry in data['annotations']] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (xml('<box label="ant" xtl="1"/>'), "image 'a.png', <box>: expected a number as ytl"),
        (xml('<box xtl="1"/>'), '<box>: it has no label'),
        (xml('<polygon label="ant" points="1,2;3,4"/>'), '<polygon>: expected three points'),
        (xml('<polygon label="ant" points="1,2;3,4;5"/>'), '<polygon>: expected three points'),
        (xml('<polygon label="ant" points="1,2;3,4;5,inf"/>'), 'expected three points'),
        (
            xml('<mask label="ant" rle="1, 2" left="1" top="1" width="2" height="2"/>'),
            '<mask>: runs of 3 pixels in all, expected 2 × 2',
        ),
        (
            xml('<mask label="ant" rle="1, -2" left="1" top="1" width="2" height="2"/>'),
            '<mask>: expected run lengths as rle',
        ),
        (xml('', image='name="a.png"'), "image 'a.png': expected width and height"),
        (xml('', image='width="40" height="30"'), 'an <image> has no name'),
        ('<annotations><track id="0"/></annotations>', 'holds tracks, .*CVAT for images 1.1'),
        ('<annotations><meta/></annotations>', 'holds no images'),
        ('<!DOCTYPE annotations><annotations><image/></annotations>', None),
    ],
)
def test_faulty_files(content: str, message: str | None, tmp_path: Path) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read(tmp_path, content)


def test_far_points_of_a_group_with_pixels_are_refused(tmp_path: Path) -> None:
    mask = '<mask label="ant" rle="0, 4" left="1" top="1" width="2" height="2" group_id="1"/>'
    far = '<polygon label="ant" points="1,1;2e8,1;1,2e8" group_id="1"/>'
    with pytest.raises(ValueError, match=r"image 'a.png': a polygon with the coordinate 2e\+08"):
        read(tmp_path, xml(mask + far))
