"""The size that an exported network takes."""

from __future__ import annotations

import sys

import pytest
from mmengine.config import Config

from effnet_dense.engine.config import load_config
from effnet_dense.exporting.input_size import fixed_size, input_size


@pytest.mark.parametrize(
    ('name', 'size'),
    [
        ('efficientdet_lite0_finetune', (320, 320)),
        ('effnet_lite0_retinanet_finetune', (320, 320)),
        ('effnet_b0_fcos_coco', (640, 640)),
    ],
)
def test_of_shipped_configs(name: str, size: tuple[int, int]) -> None:
    assert input_size(load_config(name)) == size


@pytest.mark.parametrize('name', ['effnet_lite0_fpn_camvid', 'effnet_b3_fpn_ade20k'])
def test_images_of_different_sizes_have_none(name: str) -> None:
    """The crop of training is no size of test images."""
    assert fixed_size(load_config(name)) is None


def resizing(**step: object) -> Config:
    pipeline = [dict(type='Resize', **step)]
    loader = dict(dataset=dict(type='CocoDataset', pipeline=pipeline))
    return Config(dict(model=dict(data_preprocessor=dict()), test_dataloader=loader))


def test_of_the_test_pipeline() -> None:
    assert input_size(resizing(scale=(100, 100), keep_ratio=True)) == (128, 128)
    assert input_size(resizing(scale=(96, 64), keep_ratio=False)) == (64, 96)
    assert input_size(resizing(scale=64, keep_ratio=True)) == (64, 64)
    assert fixed_size(resizing(scale_factor=0.5)) is None
    assert input_size(resizing(scale=(1333, 800), keep_ratio=True), (800, 1344)) == (800, 1344)


def test_of_a_pad_after_resizing() -> None:
    config = resizing(scale=(1333, 800), keep_ratio=True)
    config.test_dataloader.dataset.pipeline.append(dict(type='Pad', size=(1344, 832)))
    assert input_size(config) == (832, 1344)


def test_errors() -> None:
    with pytest.raises(ValueError, match='different sizes: give the height and width'):
        input_size(resizing(scale=(1333, 800), keep_ratio=True))
    with pytest.raises(ValueError, match='multiples of 32, got 100 × 96'):
        input_size(resizing(scale=(96, 96)), (100, 96))
    with pytest.raises(ValueError, match='multiples of 320, got 256 × 256'):
        input_size(load_config('efficientdet_lite0_finetune'), (256, 256))


@pytest.mark.parametrize(
    ('size', 'logged'),
    [
        ((96, 96), ''),
        ((128, 96), 'fit 96 × 96, and the file takes 128 × 96: the rest is padding'),
        ((64, 96), 'the file takes 64 × 96: images that are then larger are refused'),
    ],
)
def test_other_sizes_than_the_resize(
    size: tuple[int, int], logged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    module = sys.modules[input_size.__module__]
    monkeypatch.setattr(module, 'print_log', lambda text, **_: texts.append(text))
    assert input_size(resizing(scale=(96, 96), keep_ratio=True), size) == size
    assert len(texts) == bool(logged) and all(text.endswith(logged) for text in texts)


def test_a_size_that_no_image_fits() -> None:
    with pytest.raises(ValueError, match='at least 96 for the longer side, got 64 × 64: the test '):
        input_size(resizing(scale=(96, 96), keep_ratio=True), (64, 64))
    with pytest.raises(ValueError, match='at least 64 × 96, got 96 × 64: the test pipeline'):
        input_size(resizing(scale=(96, 64), keep_ratio=False), (96, 64))
