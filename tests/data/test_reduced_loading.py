"""Images that are decoded small: sizes, boxes, masks and draws are those of complete images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from effnet_dense.data.image_errors import BadImageError, ImageSizeError
from effnet_dense.data.reduced_loading import LoadEncoded, reduce_decoding

LOAD = dict(type='effnet_dense.LoadImageFromFile')
ANNOTATIONS = dict(type='LoadAnnotations', with_bbox=True, with_mask=True)
RESIZE = dict(type='RandomResize', scale=(80, 80), ratio_range=(0.5, 1.5), keep_ratio=True)
REST = [dict(type='RandomFlip', prob=0.5), dict(type='PackDetInputs')]
WIDTH, HEIGHT = 320, 241
BOX = [31.0, 20.0, 210.0, 199.0]


def write(folder: Path, suffix: str = '.jpg', scale: int = 1) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    size = (WIDTH // scale, HEIGHT // scale)
    cv2.imwrite(str(folder / f'a{suffix}'), cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC))
    return folder / f'a{suffix}'


def sample(path: Path, **more: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = BOX
    instance = dict(
        bbox=BOX, bbox_label=3, ignore_flag=0, mask=[[x1, y1, x2, y1, x2, y2, x1, y2 - 30]]
    )
    return dict(img_path=str(path), img_id=0, instances=[instance], **more)


def build(*steps: dict[str, Any], scope: str = 'mmdet') -> Compose:
    with DefaultScope.overwrite_default_scope(scope):
        return Compose([dict(step) for step in steps])


def both(path: Path, seed: int, *steps: dict[str, Any], scope: str = 'mmdet') -> list[Any]:
    """The sample of the complete image, and that of the reduced one."""
    made = []
    for reduced in (False, True):
        pipeline = build(*steps, scope=scope)
        assert not reduced or reduce_decoding(pipeline) == 1
        np.random.seed(seed)
        given = sample(path, seg_map_path=str(path.with_suffix('.png')), seg_fields=[])
        made.append(pipeline(dict(given, reduce_zero_label=False)))
    return made


@pytest.mark.parametrize(
    'resize',
    [
        RESIZE,
        dict(type='Resize', scale=(61, 44), keep_ratio=False),
        dict(type='RandomChoiceResize', scales=[(40, 40), (90, 70)], keep_ratio=True),
        dict(type='Resize', scale_factor=0.3, keep_ratio=True),
    ],
    ids=lambda resize: resize['type'],
)
def test_the_same_sample(tmp_path: Path, resize: dict[str, Any]) -> None:
    path = write(tmp_path)
    for seed in range(4):
        full, reduced = both(path, seed, LOAD, ANNOTATIONS, resize, *REST)
        assert reduced['inputs'].shape == full['inputs'].shape
        difference = (reduced['inputs'].int() - full['inputs'].int()).abs().float()
        assert 0 < difference.mean() < 2.5
        one, other = reduced['data_samples'], full['data_samples']
        assert one.metainfo == other.metainfo
        assert one.ori_shape == (HEIGHT, WIDTH)
        truth, expected = one.gt_instances, other.gt_instances
        assert truth.bboxes.tensor.equal(expected.bboxes.tensor)
        assert np.array_equal(truth.masks.to_ndarray(), expected.masks.to_ndarray())


def test_label_maps(tmp_path: Path) -> None:
    path = write(tmp_path)
    labels = np.random.default_rng(1).integers(0, 5, (HEIGHT, WIDTH), dtype=np.uint8)
    cv2.imwrite(str(path.with_suffix('.png')), labels)
    steps = LOAD, dict(type='LoadAnnotations'), RESIZE, dict(type='PackSegInputs')
    full, reduced = both(path, 5, *steps, scope='mmseg')
    one, other = reduced['data_samples'], full['data_samples']
    assert one.gt_sem_seg.data.equal(other.gt_sem_seg.data)
    assert one.metainfo == other.metainfo
    assert not reduced['inputs'].equal(full['inputs'])


@pytest.mark.parametrize(('suffix', 'scale'), [('.png', 1), ('.jpg', 4)])
def test_other_formats_and_small_images_stay(tmp_path: Path, suffix: str, scale: int) -> None:
    path = write(tmp_path, suffix, scale)
    for load in (LOAD, dict(LOAD, to_float32=True)):
        full, reduced = both(path, 1, load, ANNOTATIONS, RESIZE, *REST)
        assert reduced['inputs'].dtype == full['inputs'].dtype
        assert reduced['inputs'].equal(full['inputs'])


def test_errors_are_those_of_complete_images(tmp_path: Path) -> None:
    path = write(tmp_path)
    pipeline = build(LOAD, ANNOTATIONS, RESIZE)
    reduce_decoding(pipeline)
    assert pipeline(sample(path, width=WIDTH, height=HEIGHT))['img'].ndim == 3
    with pytest.raises(ImageSizeError, match='its record says 240 × 320'):
        pipeline(sample(path, width=240, height=320))
    with pytest.raises(FileNotFoundError):
        pipeline(sample(tmp_path / 'none.jpg'))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BadImageError, match=r'a\.jpg.*ends early'):
        pipeline(sample(path))
    path.write_bytes(content.replace(b'\xff\xdb', b'\xff\xfe'))  # tables become comments
    with pytest.raises(BadImageError, match=r'a\.jpg.*cannot decode'):
        pipeline(sample(path))


def test_a_side_that_becomes_empty_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / 'thin.jpg'), np.zeros((2, 900, 3), np.uint8))
    pipeline = build(LOAD, dict(type='Resize', scale=(100, 100), keep_ratio=True))
    reduce_decoding(pipeline)
    with pytest.raises(BadImageError, match=r'thin\.jpg.*\(900, 2\) .* resized to \(100, 0\)'):
        pipeline(sample(tmp_path / 'thin.jpg'))


@pytest.mark.parametrize(
    'steps',
    [
        [dict(type='LoadImageFromFile'), ANNOTATIONS, RESIZE],
        [dict(LOAD, ignore_empty=True), RESIZE],
        [dict(LOAD, channels=1), RESIZE],
        [dict(LOAD, color_type='unchanged'), RESIZE],
        [dict(LOAD, imdecode_backend='pillow'), RESIZE],
        [LOAD, ANNOTATIONS, dict(type='PhotoMetricDistortion'), RESIZE],
        [LOAD, dict(RESIZE, interpolation='area')],
        [LOAD, dict(RESIZE, resize_type='FixScaleResize')],
        [LOAD, ANNOTATIONS],
    ],
    ids=lambda steps: str(steps)[:90],
)
def test_pipelines_that_stay(steps: list[dict[str, Any]]) -> None:
    pipeline = build(*steps)
    kinds = [type(step) for step in pipeline.transforms]
    assert reduce_decoding(pipeline) == 0
    assert [type(step) for step in pipeline.transforms] == kinds
    assert not any(isinstance(step, LoadEncoded) for step in pipeline.transforms)
