"""What is reported and what is dropped come from the same faults and agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from effnet_dense.data.coco import faults as module
from effnet_dense.data.coco.check import CocoReport, check_coco
from effnet_dense.data.coco.clean import CleanSplit, clean_coco
from effnet_dense.data.coco.faults import Kind, drop_faulty, find_faults
from effnet_dense.data.skipping import SkipBad
from tests.helpers.coco_folder import Coco, box, tiny_coco, write_images, write_json

KINDS = [value for value in vars(module).values() if isinstance(value, Kind)]

FAULTY: dict[str, list[tuple[str, Any]]] = {
    'nothing': [],
    'fields': [('bbox', None), ('area', 'x'), ('image_id', [12]), ('category_id', {}), ('id', '1')],
    'evaluation': [('iscrowd', 2), ('id', 0), ('segmentation', [])],
    'links': [('image_id', 99), ('category_id', 1), ('id', 1), ('id', 2)],
    'boxes': [('bbox', [10, 10, 0, 5]), ('bbox', [64, 10, 5, 5]), ('bbox', [60, 10, 8, 5])],
    'area': [('area', 0), ('bbox', [10, 10, 5, 0.5]), ('area', -1)],
}
"""Name → changes, each to one more annotation."""

IMAGES: dict[str, Coco] = {
    'sound': {},
    'missing': {'file_name': 'gone.png'},
    'size': {'width': 65},
    'field': {'height': None},
    'id': {'id': [12]},
    'repeated': {'id': 5},
}
"""Name → changes to the first image."""


def faulty(annotations: str, image: str) -> Coco:
    content = tiny_coco()
    content['images'][0] |= IMAGES[image]
    content['images'].append({**content['images'][1], 'id': 77})  # the same file once more
    for number, (field, value) in enumerate(FAULTY[annotations]):
        content['annotations'].append(box(50 + number, 12, 7, [10, 10, 9, 9]) | {field: value})
    return content


def check_and_clean(
    tmp_path: Path, content: Coco, **options: bool
) -> tuple[CocoReport, CleanSplit, CocoReport]:
    """The report before, what was dropped, the report on the cleaned split."""
    from effnet_dense.data import CocoSplit

    split = CocoSplit(
        write_json(content, tmp_path / 'given.json'), write_images(tmp_path / 'images')
    )
    cleaned = clean_coco('x', split, SkipBad(tmp_path / 'out', 1.0), **options)
    return check_coco(split, **options), cleaned, check_coco(cleaned.split, **options)


@pytest.mark.parametrize('evaluated', [True, False])
@pytest.mark.parametrize('image', IMAGES)
@pytest.mark.parametrize('annotations', FAULTY)
def test_what_is_dropped_is_what_is_reported(
    tmp_path: Path, annotations: str, image: str, evaluated: bool
) -> None:
    options = dict(masks=True, evaluated=evaluated)
    before, cleaned, after = check_and_clean(tmp_path, faulty(annotations, image), **options)
    totals = ('no usable annotation', 'image without')
    reported = {
        (f.what.split(', left out')[0], f.count)
        for f in before.findings
        if (f.severity == 'error' or ', left out' in f.what) and not f.what.startswith(totals)
    }
    if evaluated:  # pycocotools counts boxes that mmdet leaves out of training
        reported = {r for r in reported if f'{r[0]}, left out of training' not in str(before)}
    dropped: dict[str, int] = {}
    for record in (*cleaned.left_out_images, *cleaned.left_out_annotations):
        for why in record.why.split('; '):
            kind = next(what for what, _ in reported if why.startswith(what))
            dropped[kind] = dropped.get(kind, 0) + 1
    assert set(dropped.items()) == reported
    remaining = [f for f in after.findings if not f.what.startswith(totals)]
    assert all(f.severity == 'warning' for f in remaining)
    if not evaluated:
        assert not any('left out' in f.what for f in remaining)


def test_errors_of_single_images_and_annotations_are_always_dropped() -> None:
    assert len(KINDS) == 18
    for kind in KINDS:
        assert kind.dropped != 'in training' or kind.severity == 'warning'
        if kind.severity == 'error':
            assert (kind.dropped == 'always') != kind.what.startswith('category'), kind


def test_all_wrong_fields_of_a_record_are_listed_once_for_it(tmp_path: Path) -> None:
    content = tiny_coco()
    content['annotations'][0] |= {'area': None, 'bbox': [1]}
    _, cleaned, _ = check_and_clean(tmp_path, content)
    (record,) = cleaned.left_out_annotations
    assert record.name == 'id 1 (image 12)'
    assert "'bbox' of annotations is not four finite numbers" in record.why
    assert record.why.endswith("; 'area' of annotations is not a finite number: None")


def test_annotations_of_a_dropped_image_have_no_faults(tmp_path: Path) -> None:
    content = tiny_coco()
    content['images'][0]['file_name'] = 'gone.png'
    content['annotations'].append(box(1, 12, 7, [500, 0, 5, 5]))
    (fault,) = find_faults(content, write_images(tmp_path))
    assert str(fault) == f'gone.png: image missing in {tmp_path}'
    kept = drop_faulty(content, [fault], training=False)
    assert [a['id'] for a in kept['annotations']] == [3, 4]
    assert kept['categories'] == content['categories']


def test_only_training_drops_boxes_that_mmdet_ignores(tmp_path: Path) -> None:
    content = tiny_coco()
    content['annotations'][0]['area'] = 0
    faults = list(find_faults(content, write_images(tmp_path)))
    for training, count in ((True, 3), (False, 4)):
        assert len(drop_faulty(content, faults, training)['annotations']) == count


def test_some_headers_are_read_of_a_large_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images(tmp_path)
    content = tiny_coco()
    content['images'] = [
        {'id': i, 'file_name': 'a.png' if i % 2 else 'b.png', 'width': 1, 'height': 1}
        for i in range(8)
    ]
    monkeypatch.setattr(module, 'HEADERS', 2)
    for reading, count in (('some headers', 2), ('headers', 8), ('pixels', 8)):
        found = find_faults(content, tmp_path, reading=reading)  # type: ignore[arg-type]
        assert sum(fault.kind == module.OTHER_SIZE for fault in found) == count


def test_an_id_of_a_dropped_image_is_free_again(tmp_path: Path) -> None:
    """Of two images with one id, the second is kept where the first cannot be used."""
    content = tiny_coco()
    content['images'].insert(0, {'id': 5, 'file_name': 'gone.png', 'width': 80, 'height': 60})
    faults = list(find_faults(content, write_images(tmp_path)))
    assert [fault.name for fault in faults] == ['gone.png']
    assert drop_faulty(content, faults, training=True) == tiny_coco()
