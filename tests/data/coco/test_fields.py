"""Values that a record's field may have."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.data.coco.fields import IMAGE_FIELDS, annotation_fields


@pytest.mark.parametrize(
    ('field', 'valid', 'invalid'),
    [
        ('id', [0, -3], [True, 1.0, '1', None]),
        ('image_id', [7], [[7], {}]),
        ('bbox', [[0, 0.5, -1, 2]], [(0, 0, 1, 1), [0, 0, 1], [0, 0, 1, 1e10], [0, 0, 1, True]]),
        ('area', [0, 1.5], [float('nan'), float('inf'), None]),
        ('iscrowd', [0, 1, False], [2, None, 'no']),
        ('segmentation', [[[1, 2]], {'counts': ''}], [[], {}, None, 'x']),
    ],
)
def test_annotations(field: str, valid: list[Any], invalid: list[Any]) -> None:
    is_valid, _ = annotation_fields(masks=True, evaluated=True)[field]
    assert all(is_valid(value) for value in valid)
    assert not any(is_valid(value) for value in invalid)


def test_images() -> None:
    name, width = IMAGE_FIELDS['file_name'][0], IMAGE_FIELDS['width'][0]
    assert name('a/b.jpg') and not any(map(name, ('', 'a\0.jpg', None)))
    assert width(1) and not any(map(width, (0, -1, None)))


def test_masks_and_evaluation_need_more() -> None:
    assert {'segmentation', 'iscrowd'}.isdisjoint(annotation_fields(masks=False, evaluated=False))
