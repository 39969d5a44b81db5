"""Whatever stands in a COCO file, the check returns findings, and what it passes can be used."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from effnet_dense.data.coco import CocoSplit, check_coco, clean_coco
from effnet_dense.data.skipping import SkipBad
from tests.helpers.coco_folder import tiny_coco, write_images, write_json

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-2, 100),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(['a.png', '\ud800', 'caf\udce9.png', 'x' * 300, '/etc/passwd', '\0', 2e8]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(['size', 'counts', 'id', 'x']), inner, max_size=3)
    ),
    max_leaves=6,
)
QUIET = [HealthCheck.function_scoped_fixture]


@pytest.fixture(scope='module')
def image_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images of `tiny_coco`."""
    return write_images(tmp_path_factory.mktemp('images'))


def damaged(seed: int, values: list[Any]) -> Any:
    """Put values in the place of records, fields and parts of fields."""
    draw, data = random.Random(seed), tiny_coco()
    for value in values:
        key = draw.choice(['images', 'annotations', 'annotations', 'categories'])
        record = draw.choice(data[key])
        if not isinstance(record, dict):
            continue
        field = draw.choice([*record, 'segmentation'])
        if isinstance(record.get(field), list) and draw.random() < 0.5:
            inner = record[field][0] if isinstance(record[field][0], list) else record[field]
            inner[draw.randrange(len(inner))] = value
        elif draw.random() < 0.1:
            record.pop(field, None)
        else:
            record[field] = value
    return data


@settings(max_examples=50, deadline=None, suppress_health_check=QUIET)
@given(st.integers(0, 10**6), st.lists(VALUES, min_size=1, max_size=3), st.booleans())
def test_any_record(
    image_dir: Path, tmp_path: Path, seed: int, values: list[Any], evaluated: bool
) -> None:
    before = damaged(seed, values)
    split = CocoSplit(write_json(before, tmp_path / 'a.json'), image_dir)
    try:
        report = check_coco(split, masks=True, evaluated=evaluated, scale=(320.0, 320.0))
        clean = clean_coco('clean', split, SkipBad(tmp_path, 1.0), True, evaluated)
    except ValueError as error:
        assert 'must be an object' in str(error) or 'not valid JSON' in str(error)
        return
    str(report).encode('utf-8', 'backslashreplace')
    again = check_coco(clean.split, masks=True, evaluated=evaluated)
    errors = {error.what for error in again.errors}
    if errors:  # of the file as a whole, which nothing cleans
        assert all('categor' in what or 'no usable annotation' in what for what in errors), errors
        return
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(clean.split.ann_file)
    for annotation in coco.anns.values():
        image = coco.imgs[annotation['image_id']]
        assert coco.annToMask(annotation).shape == (image['height'], image['width'])


@pytest.mark.parametrize('evaluated', [True, False])
def test_broken_masks_are_left_out(image_dir: Path, tmp_path: Path, evaluated: bool) -> None:
    data = tiny_coco()
    masks: list[Any] = [[[0, 0, 2e8, 0, 5, 5]], {'size': [48, 64], 'counts': [9]}, [[1, 2, 3, 4]]]
    for annotation, mask in zip(data['annotations'][1:], masks, strict=True):
        annotation['segmentation'] = mask
    split = CocoSplit(write_json(data, tmp_path / 'a.json'), image_dir)
    (error,) = check_coco(split, masks=True, evaluated=evaluated).errors
    assert (error.what, error.count) == ('mask that cannot be decoded', 3)
    assert 'id 2 (image 12): a polygon with the coordinate 2' in error.examples[0]
    assert not check_coco(split, masks=False, evaluated=evaluated).errors, 'boxes are good'
    clean = clean_coco('c', split, SkipBad(tmp_path, 1.0), True, evaluated)
    assert len(clean.left_out_annotations) == 3
    kept = json.loads(clean.split.ann_file.read_text(encoding='utf-8'))['annotations']
    assert [annotation['id'] for annotation in kept] == [1]
    assert copy.deepcopy(kept) == tiny_coco()['annotations'][:1]


def test_names_that_are_not_utf8(image_dir: Path, tmp_path: Path) -> None:
    data = tiny_coco()
    data['images'][0]['file_name'] = 'caf\udce9.png'
    split = CocoSplit(write_json(data, tmp_path / 'a.json'), image_dir)
    clean = clean_coco('c', split, SkipBad(tmp_path, 1.0))
    skipped = json.loads((tmp_path / 'skipped_c.json').read_text(encoding='utf-8'))
    assert skipped['images'][0]['name'] == 'caf\udce9.png' and clean.split.ann_file.is_file()
