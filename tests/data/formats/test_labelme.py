"""labelme's shapes, groups, masks and embedded images."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from effnet_dense.data.formats.detect import find_dataset
from effnet_dense.data.formats.found import FoundData
from tests.helpers.export_source import decoded

SIZE = {'imageWidth': 40, 'imageHeight': 30}


def png(array: np.ndarray | None = None) -> str:
    """An image file in base64; grey pixels by default."""
    stream = io.BytesIO()
    pixels = np.full((30, 40, 3), 90, np.uint8) if array is None else array
    Image.fromarray(pixels).save(stream, 'PNG')
    return base64.b64encode(stream.getvalue()).decode('ascii')


def shape(kind: str, points: list[list[float]], label: str = 'cat', **more: Any) -> dict[str, Any]:
    return {'label': label, 'shape_type': kind, 'points': points, 'group_id': None} | more


def write(root: Path, *shapes: object, **more: Any) -> Path:
    """Write one image and its JSON file."""
    root.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (40, 30)).save(root / 'a.png')
    content = {'version': '5.4.1', 'shapes': list(shapes), 'imagePath': 'a.png'}
    content |= {'imageData': None, **SIZE} | more
    (root / 'a.json').write_text(json.dumps(content), encoding='utf-8')
    return root


def read(root: Path) -> FoundData:
    return find_dataset(root, root.parent / 'unpacked')


def entries(found: FoundData) -> list[dict[str, Any]]:
    return found.splits['all'].data['annotations']


TRIANGLE = [[1, 1], [9, 1], [9, 9]]
OTHER = [[20, 10], [30, 10], [30, 20]]


@pytest.mark.parametrize(
    ('given', 'box', 'polygons'),
    [
        (shape('rectangle', [[10, 5], [4, 9]]), [4, 5, 6, 4], None),
        (shape('polygon', TRIANGLE), [1, 1, 8, 8], [[1, 1, 9, 1, 9, 9]]),
        (
            shape('oriented_rectangle', [*TRIANGLE, [1, 9]]),
            [1, 1, 8, 8],
            [[1, 1, 9, 1, 9, 9, 1, 9]],
        ),
        ({'label': 'cat', 'points': TRIANGLE}, [1, 1, 8, 8], [[1, 1, 9, 1, 9, 9]]),
    ],
)
def test_shapes(given: object, box: list[float], polygons: object, tmp_path: Path) -> None:
    (entry,) = entries(read(write(tmp_path / 'set', given)))
    assert entry['bbox'] == box
    assert entry.get('segmentation') == polygons


def test_a_circle_has_its_box_and_area(tmp_path: Path) -> None:
    (entry,) = entries(read(write(tmp_path / 'set', shape('circle', [[20, 15], [20, 25]]))))
    assert entry['bbox'] == pytest.approx([10, 5, 20, 20], abs=0.03)
    mask = decoded(entry, {'width': 40, 'height': 30})
    y, x = np.mgrid[:30, :40] + 0.5
    disc = (x - 20) ** 2 + (y - 15) ** 2 < 100
    assert (mask != disc).mean() < 0.01


def test_shapes_of_a_group_are_one_object(tmp_path: Path) -> None:
    shapes = [shape('polygon', points, group_id=1) for points in (TRIANGLE, OTHER)]
    shapes += [shape('polygon', OTHER, 'ant', group_id=1), shape('polygon', OTHER)]
    found = read(write(tmp_path / 'set', *shapes))
    one, ant, alone = entries(found)
    assert one['segmentation'] == [[1, 1, 9, 1, 9, 9], [20, 10, 30, 10, 30, 20]]
    assert one['bbox'] == [1, 1, 29, 19]
    assert (ant['category_id'], alone['category_id']) == (1, 2)
    assert '1 object has several shapes, of the same group_id' in found.remarks


def test_a_mask_and_a_polygon_of_a_group_are_united(tmp_path: Path) -> None:
    part = np.full((4, 6), 255, np.uint8)
    part[0, 0] = 0
    given = shape('mask', [[30, 20], [35, 23]], mask=png(part), group_id=1)
    box = shape('rectangle', [[2, 2], [6, 8]], group_id=1)
    (entry,) = entries(read(write(tmp_path / 'set', given, box)))
    expected = np.zeros((30, 40), bool)
    expected[20:24, 30:36] = part > 0
    expected[2:8, 2:6] = True
    np.testing.assert_array_equal(decoded(entry, {'width': 40, 'height': 30}), expected)
    assert entry['bbox'] == [2, 2, 34, 22]


def test_a_mask_may_reach_beyond_the_image(tmp_path: Path) -> None:
    part = np.full((4, 6), 255, np.uint8)
    given = [
        shape('mask', [[37, 28], [42, 31]], mask=png(part)),
        shape('mask', [[-2, -1], [3, 2]], mask=png(part)),
    ]
    one, two = entries(read(write(tmp_path / 'set', *given)))
    assert one['bbox'] == [37, 28, 3, 2]
    assert two['bbox'] == [0, 0, 4, 3]


def test_shapes_without_an_area_are_counted(tmp_path: Path) -> None:
    shapes = [shape('point', [[1, 1]]), shape('line', [[1, 1], [2, 2]]), shape('polygon', OTHER)]
    found = read(
        write(tmp_path / 'set', *shapes, shape('point', [[1, 1]]), shape('rectangle', OTHER[::2]))
    )
    assert len(entries(found)) == 2
    assert "2 shapes of the type 'point', without an area: left out" in found.remarks
    assert any("1 shape of the type 'line'" in remark for remark in found.remarks)
    assert '1 rectangle among other shapes has its area as mask' in found.remarks


def test_an_embedded_image_is_written_where_none_is(tmp_path: Path) -> None:
    root = write(tmp_path / 'set', shape('polygon', OTHER), imageData=png(), imagePath='../b.png')
    split = read(root).splits['all']
    assert split.data['images'][0]['file_name'] == 'a.png'  # called like the JSON file
    (root / 'a.png').unlink()
    split = read(root).splits['all']
    folder = split.image_dirs[0]
    assert folder == tmp_path / 'unpacked/images'
    assert Image.open(folder / split.data['images'][0]['file_name']).size == (40, 30)


@pytest.mark.parametrize('name', ['../../b.png', '/etc/b.png', 'C:\\x\\b.png', '..', '.b.png', ''])
def test_an_embedded_image_stays_in_its_folder(name: str, tmp_path: Path) -> None:
    root = write(tmp_path / 'set', imageData=png(), imagePath=name)
    (root / 'a.png').unlink()
    read(root)
    written = {path.name for path in tmp_path.rglob('*.png')}
    assert [path.parent for path in tmp_path.rglob('*.png')] == [tmp_path / 'unpacked/images']
    assert written <= {'b.png', 'a.png', 'image.png'}


@pytest.mark.parametrize(
    ('given', 'more', 'message'),
    [
        (3, {}, r'shapes\[0\]: expected an object, got a number'),
        (shape('polygon', TRIANGLE[:2]), {}, "unexpected shape_type 'polygon' with 2 points"),
        (shape('star', TRIANGLE), {}, "unexpected shape_type 'star'"),
        (shape('polygon', TRIANGLE, ''), {}, "expected a text as 'label'"),
        (shape('polygon', [[1, 2], [3], [4, 5]]), {}, r'expected points as \[x, y\]'),
        (shape('polygon', [[1, 2], [3, float('nan')], [4, 5]]), {}, r'expected points as \[x'),
        (shape('polygon', [[1, 2], [3, 1e300], [4, 5]]), {}, r'expected points as \[x'),
        (shape('mask', OTHER[:2], mask='!'), {}, "expected a PNG image in base64 as 'mask'"),
        (shape('mask', OTHER[:2]), {}, "expected a PNG image in base64 as 'mask'"),
        (shape('mask', OTHER[:2]), {'imageWidth': 10**6, 'imageHeight': 10**6}, 'a mask in an'),
        (shape('polygon', OTHER), {'imageWidth': '40'}, "expected 'imageWidth' and"),
        (shape('polygon', OTHER), {'shapes': {}}, "'shapes' must be a list, got an object"),
        (
            shape('polygon', OTHER),
            {'imageData': 'eA==', 'imagePath': 'b.png'},
            'imageData is no image in base64',
        ),
    ],
)
def test_faulty_files(given: object, more: dict[str, Any], message: str, tmp_path: Path) -> None:
    root = write(tmp_path / 'set', given, **more)
    if 'imageData' in more:
        (root / 'a.png').unlink()
    with pytest.raises(ValueError, match=message) as error:
        read(root)
    assert 'a.json' in str(error.value)


def test_far_points_of_a_group_with_pixels_are_refused(tmp_path: Path) -> None:
    mask = shape('mask', [[0, 0], [1, 1]], mask=png(np.ones((2, 2), np.uint8)), group_id=1)
    far = shape('polygon', [[1, 1], [2e8, 1], [1, 2e8]], group_id=1)
    with pytest.raises(ValueError, match=r'a polygon with the coordinate 2e\+08'):
        read(write(tmp_path / 'set', mask, far))


def test_other_json_files_are_named(tmp_path: Path) -> None:
    root = write(tmp_path / 'set', shape('polygon', OTHER))
    (root / 'notes.json').write_text('{"a": 1}', encoding='utf-8')
    assert 'notes.json is not used' in read(root).remarks
