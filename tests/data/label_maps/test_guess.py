"""What pixels mean where classes.json says it in part, wrongly, or is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from effnet_dense.data import LabelSource, LoadLabelMap, find_labels, use_data
from effnet_dense.data.label_maps.colours import channels_of, colour_name
from effnet_dense.data.label_maps.known import voc_colour
from effnet_dense.data.label_maps.reading import count_values
from effnet_dense.engine.config import load_config
from tests.helpers import semantic_data
from tests.helpers.label_folder import label, write_classes, write_image, write_label
from tests.helpers.label_layouts import coloured, with_palette

RED, BLACK = 0xFF0000, 0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / 'set'


def put(root: Path, classes: Any, *train: np.ndarray, val: np.ndarray | None = None) -> Path:
    """Write label maps and their images; the last one is val's too, unless another is given."""
    if classes is not None:
        write_classes(root, classes)
    last = train[-1] if val is None else val
    for name, values in [*((f'train/{i}', v) for i, v in enumerate(train)), ('val/0', last)]:
        write_image(root / 'images' / f'{name}.jpg', *values.shape[:2])
        write_label(root / 'labels' / f'{name}.png', values)
    return root


def colours(*codes: int) -> np.ndarray:
    """Equally wide stripes (6, 8, 3) of colours."""
    table = np.array([channels_of(code) for code in codes], dtype=np.uint8)
    return table[label(*range(len(codes)))]


def read(root: Path, source: LabelSource) -> np.ndarray:
    """Load the first label map as training does."""
    cfg = load_config('effnet_lite0_fpn_camvid')
    use_data(cfg, root)
    (step,) = [s for s in cfg.val_dataloader.dataset.pipeline if 'LoadLabelMap' in s.type]
    loader = LoadLabelMap(**{key: value for key, value in step.items() if key != 'type'})
    path = str(source.splits['val'].label_dir / '0.png')
    results = loader.transform({'seg_map_path': path, 'seg_fields': []})
    return np.asarray(results['gt_seg_map'])


def fault(root: Path) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        find_labels(root)
    return str(error.value)


TWO = {'classes': ['ground', 'building']}
STRIPES = label(0, 255)


@pytest.mark.parametrize(
    ('classes', 'names', 'expected', 'remark'),
    [
        (TWO, ('ground', 'building'), (0, 1), '0 and 255 are read as the two classes ground and'),
        (None, ('background', 'foreground'), (0, 1), 'no classes.json: the names background (0)'),
        ({'values': {'0': 'a', '255': 'b'}}, ('a', 'b'), (0, 1), ''),
        ({'values': {'255': 'b', '0': 'a'}}, ('b', 'a'), (1, 0), ''),
        ({'values': {'255': 'b'}}, ('background', 'b'), (0, 1), '0, which is not listed, is read'),
        ({'values': {'0': 'ignore', '255': 'b'}}, ('b',), (255, 0), 'b is the only class'),
    ],
)
def test_masks_of_0_and_255(
    root: Path, classes: Any, names: tuple[str, ...], expected: tuple[int, int], remark: str
) -> None:
    source = find_labels(put(root, classes, STRIPES))
    assert source.classes == names
    assert remark in ' '.join(source.remarks) and bool(remark) == bool(source.remarks)
    np.testing.assert_array_equal(read(root, source), label(*expected))


def test_part_of_the_masks_are_empty(root: Path) -> None:
    """Images without the object are black; val may have no other."""
    source = find_labels(put(root, TWO, STRIPES, label(0)))
    assert [report.pixels for report in source.reports.values()] == [(72, 24), (48, 0)]
    assert source.encoding.values == {0: 0, 255: 1}


def test_an_ignored_class_is_an_error(root: Path) -> None:
    """What following the former hint led to: an IoU of 0."""
    words = fault(put(root, {**TWO, 'ignore': 255}, STRIPES))
    assert "so that only 'ground' remains" in words and 'without "ignore": 255' in words
    put(root, {**TWO, 'ignore': 255}, label(0, 1, 255, 255), val=STRIPES)  # 255 is the border
    assert find_labels(root).ignore == 255


def test_three_classes_with_255_still_get_the_hint(root: Path) -> None:
    words = fault(put(root, {'classes': ['a', 'b', 'c']}, label(0, 1, 2, 255)))
    assert 'is "ignore": 255 missing' in words


def test_classes_from_one_on(root: Path) -> None:
    words = fault(put(root, {'classes': ['a', 'b', 'c']}, label(0, 1, 2, 3)))
    assert 'is 0 without a class and "first": 1 missing in classes.json?' in words
    source = find_labels(put(root, {'classes': ['a', 'b', 'c'], 'first': 1}, label(0, 1, 2, 3)))
    np.testing.assert_array_equal(read(root, source), label(255, 0, 1, 2))


def test_palette_images_without_classes(root: Path) -> None:
    put(root, None, label(0, 1))
    for part in ('train', 'val'):
        with_palette(root / f'labels/{part}/0.png', label(0, 1, 3, 255))
    source = find_labels(root)
    assert source.classes == ('background', 'class_1', 'class_2', 'class_3')
    assert source.ignore == 255
    assert '255 is ignored' in source.remarks[0]
    assert 'warning: 1 × class that never occurs: class_2' in str(source.reports['train'])
    assert 'note: 1 × class that never occurs: class_2' in str(source.reports['val'])


def suggested(words: str) -> Any:
    """The classes.json that an error proposes."""
    match = re.search(r'^  (\{.*\})$', words, re.MULTILINE)
    assert match is not None, words
    return json.loads(match[1])


@pytest.mark.parametrize(
    ('values', 'counts', 'kind'),
    [
        (label(0, 7, 9, 255), '0 24 (25.0%), 7 24', 'values'),
        (colours(RED, BLACK, 0x00FF00, 0x00FF00), '#00ff00 48 (50.0%)', 'colours'),
    ],
)
def test_the_proposed_classes_can_be_pasted(
    root: Path, values: np.ndarray, counts: str, kind: str
) -> None:
    words = fault(put(root, None, values))
    assert counts in words
    proposed = suggested(words)
    assert list(proposed) == [kind]
    source = find_labels(put(root, proposed, values))
    assert source.classes[0].startswith(('background', 'class_'))


def test_colours_where_indices_are_expected(root: Path) -> None:
    words = fault(put(root, {'classes': ['a', 'b']}, colours(RED, BLACK)))
    assert 'got an image of mode RGB with colours' in words
    assert suggested(words) == {'colours': {'#000000': 'background', '#ff0000': 'class_ff0000'}}


@pytest.mark.parametrize('kind', ['colours', 'colors'])
def test_colours(root: Path, kind: str) -> None:
    put(
        root,
        {kind: {'#ff0000': 'car', '#000000': 'ignore', '#0f0': 'road'}},
        colours(RED, 0x00FF00, 0, 0),
    )
    source = find_labels(root)
    assert source.classes == ('car', 'road')
    np.testing.assert_array_equal(read(root, source), label(0, 1, 255, 255))
    cfg = load_config('effnet_lite0_fpn_camvid')
    use_data(cfg, root)
    assert [tuple(c) for c in cfg.val_dataloader.dataset.metainfo.palette] == [
        (255, 0, 0),
        (0, 255, 0),
    ]
    cfg.dump(root / 'saved.py')
    again = Config.fromfile(root / 'saved.py')
    assert again.val_dataloader.dataset.pipeline == cfg.val_dataloader.dataset.pipeline


def test_one_colour_on_black(root: Path) -> None:
    source = find_labels(put(root, {'colours': {'#ff0000': 'car'}}, colours(RED, BLACK)))
    assert source.classes == ('background', 'car')
    assert source.remarks == ('black, which is not listed, is read as the class background',)


def test_unknown_colours(root: Path) -> None:
    put(
        root,
        {'colours': {'#ff0000': 'car', '#000000': 'road'}},
        colours(RED, 0xFE0000, BLACK, 0x123456),
    )
    words = fault(root)
    assert 'colour that is not in the list of colours' in words
    assert '#fe0000 (12 pixels in 1 file: 0.png; nearest: #ff0000 car)' in words
    assert '#123456 (12 pixels in 1 file: 0.png; nearest: #000000 road)' in words
    assert 'smooth' not in words


def test_unknown_values(root: Path) -> None:
    words = fault(
        put(root, {'values': {'0': 'road', '200': 'ignore', '9': 'car'}}, label(0, 9, 11, 190))
    )
    assert '11 (12 pixels in 1 file: 0.png; nearest: 9 car)' in words
    assert '190 (12 pixels in 1 file: 0.png; nearest: 200 ignore)' in words


def smoothed(mode: str) -> np.ndarray:
    """A disk with smoothed borders (64, 64)."""
    values = np.zeros((64, 64), dtype=np.uint8)
    cv2.circle(values, (32, 32), 20, 255, -1, cv2.LINE_AA)
    assert 5 < len(np.unique(values)) < 250
    return values if mode == 'grey' else np.dstack([values, values // 2, values * 0])


@pytest.mark.parametrize(
    ('mode', 'classes'),
    [
        ('grey', TWO),
        ('grey', {'values': {'0': 'a', '255': 'b'}}),
        ('colour', {'colours': {'#000': 'a', '#ff7f00': 'b'}}),
    ],
)
def test_smoothed_borders(root: Path, mode: str, classes: Any) -> None:
    values = smoothed(mode)
    words = fault(put(root, classes, values))
    assert 'thin lines between classes: borders smoothed' in words
    source = find_labels(put(root, {**classes, 'unknown': 'ignore'}, values))
    found = read(root, source)
    whole = (values if mode == 'grey' else values[..., 0]).astype(int)
    np.testing.assert_array_equal(found, np.select([whole == 0, whole == 255], [0, 1], 255))


def test_smoothed_masks_without_classes(root: Path) -> None:
    words = fault(put(root, None, smoothed('grey')))
    assert 'smoothed' in words
    proposed = suggested(words)
    assert proposed['unknown'] == 'ignore' and list(proposed['values']) == ['0', '255']


def photo() -> np.ndarray:
    """More colours (100, 100, 3) than a label map has, on a red and a black half."""
    values = np.arange(100 * 100).reshape(100, 100)
    pixels = np.stack([values // 256, values % 256, np.full_like(values, 77)], axis=-1)
    pixels[:4, :50], pixels[:4, 50:] = channels_of(RED), 0
    return pixels.astype(np.uint8)


@pytest.mark.parametrize('classes', [None, TWO, {'colours': {'#f00': 'car', '#000': 'road'}}])
def test_photos_are_no_label_maps(root: Path, classes: Any) -> None:
    words = fault(put(root, classes, photo()))
    assert '0.png (thousands of colours, as a photo' in words
    assert 'class_' not in words  # no list of thousands of colours to be named


def test_photos_whose_other_colours_are_ignored(root: Path) -> None:
    table = {'colours': {'#f00': 'car', '#000': 'road', '#123456': 'tree'}, 'unknown': 'ignore'}
    report = find_labels(put(root, table, photo())).reports['train']
    assert report.pixels == (200, 200, 0) and report.ignored == 9600


def test_values_of_16_bits_that_are_all_listed(root: Path) -> None:
    values = np.arange(9000, dtype=np.uint16).reshape(90, 100)
    table = {'values': {str(value): 'ab'[value % 2] for value in range(9000)}}
    assert find_labels(put(root, table, values)).reports['val'].pixels == (4500, 4500)


def test_few_of_many_unknown_colours_are_described(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from effnet_dense.data.label_maps import unknown

    described: list[int] = []
    describe = unknown._describe

    def counted(code: int, *more: Any) -> str:
        described.append(code)
        return describe(code, *more)

    monkeypatch.setattr(unknown, '_describe', counted)
    pixels = np.kron(photo()[:60], np.ones((2, 2, 1), dtype=np.uint8))
    words = fault(put(root, {'colours': {'#f00': 'car', '#000': 'road'}}, pixels))
    assert '5600 × colour that is not in the list of colours' in words
    assert len(described) == 2 * unknown.VALUES  # of both parts


def test_colours_of_voc(root: Path) -> None:
    assert [channels_of(voc_colour(i)) for i in range(256)] == [
        semantic_data.voc_colour(i) for i in range(256)
    ]


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_counts(values: list[int]) -> None:
    found, counts = np.unique(values, return_counts=True)
    array = np.array([values], dtype=np.uint16)
    assert count_values(array) == dict(zip(found.tolist(), counts.tolist(), strict=True))


@given(
    st.dictionaries(st.integers(0, 0xFFFFFF), st.sampled_from('abcd'), min_size=2, max_size=30),
    st.integers(0, 99),
)
@settings(max_examples=20, deadline=None)
def test_colours_and_indices_give_the_same_labels(table: dict[int, str], seed: int) -> None:
    """A loader of colours, and one of values, equal a dictionary per pixel."""
    names = list(dict.fromkeys(table.values()))
    labels = {code: names.index(name) for code, name in table.items()}
    codes = list(table)
    index = np.random.default_rng(seed).integers(0, len(codes), (5, 6))
    expected = np.array([[labels[codes[i]] for i in row] for row in index])
    pixels = np.array([channels_of(code) for code in codes], dtype=np.uint8)[index]
    by_colour = LoadLabelMap(len(names), colours={colour_name(c): n for c, n in labels.items()})
    by_value = LoadLabelMap(len(names), values={str(i): labels[c] for i, c in enumerate(codes)})
    for loader, values in ((by_colour, pixels), (by_value, index.astype(np.uint8))):
        with TemporaryDirectory() as folder:
            path = write_label(Path(folder) / 'a.png', values)
            results = loader.transform({'seg_map_path': str(path), 'seg_fields': []})
        np.testing.assert_array_equal(results['gt_seg_map'], expected)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'values': {'0': 0}, 'colours': {'#000': 0}}, 'values or colours, got both'),
        ({'values': {'a': 0}}, "'a' is no value"),
        ({'values': {'0': 3}}, 'labels 0 to 1, or 255 for no class'),
        ({'values': {'0': 0, 0: 1}}, '0 is listed twice'),
        ({'colours': {'red': 0}}, "'red' is no value or colour"),
    ],
)
def test_faulty_loaders(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LoadLabelMap(num_classes=2, **options)


def test_loader_quotes_unknown_colours(tmp_path: Path) -> None:
    path = write_label(tmp_path / 'a.png', coloured(label(0, 255)))
    loader = LoadLabelMap(num_classes=1, colours={'#808080': 0})
    with pytest.raises(
        ValueError, match=r'expected the colours #808080, got #000000 \(24 pixels\)'
    ):
        loader.transform({'seg_map_path': str(path), 'seg_fields': []})
    assert repr(loader).endswith("colours={'#808080': 0})")
