"""Predicting with an exported file: the same interface, padding, passes of a fixed batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmseg.structures import SegDataSample
from torch.nn import functional

from effnet_dense.inference import Predictor
from effnet_dense.inference.exported import _label_map
from tests.helpers.exported_files import METADATA, identity, identity_of_any_size

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 50, 3), dtype=np.uint8)
LABELS = ((IMAGE[..., ::-1] - np.array(METADATA.mean)) / np.array(METADATA.std)).argmax(-1)
"""What the file's graph, which returns its input, finds in the image in BGR."""


@pytest.mark.parametrize('batch', [None, 1, 2])
def test_label_maps(tmp_path: Path, batch: int | None) -> None:
    predictor = Predictor(identity(tmp_path / 'a.onnx', batch=batch))
    samples = predictor([IMAGE] * 3, batch_size=3)
    assert len(samples) == 3
    for sample in samples:
        np.testing.assert_array_equal(sample.pred_sem_seg.data[0].numpy(), LABELS)
        assert sample.seg_logits.data.argmax(0).equal(sample.pred_sem_seg.data[0])
    assert list(predictor.dataset_meta['classes']) == METADATA.classes
    assert set(samples[0].class_names) <= set(METADATA.classes)


def test_images_of_every_size(tmp_path: Path) -> None:
    predictor = Predictor(identity_of_any_size(tmp_path / 'a.onnx'))
    images = [IMAGE, IMAGE.repeat(3, 0), IMAGE.repeat(2, 1)]
    for image, sample in zip(images, predictor(images, batch_size=2), strict=True):
        labels = LABELS.repeat(image.shape[0] // 20, 0).repeat(image.shape[1] // 50, 1)
        np.testing.assert_array_equal(sample.pred_sem_seg.data[0].numpy(), labels)


def test_a_resized_image_has_its_own_size_again(tmp_path: Path) -> None:
    steps = METADATA.pipeline
    pipeline = [steps[0], dict(type='Resize', scale=[64, 32], keep_ratio=True), steps[1]]
    predictor = Predictor(identity(tmp_path / 'a.onnx', pipeline=pipeline))
    large = IMAGE.repeat(3, 0).repeat(3, 1)
    assert predictor(large).pred_sem_seg.data.shape == (1, 60, 150)


def test_one_logit_and_corners_are_those_of_pytorch(tmp_path: Path) -> None:
    steps = METADATA.pipeline
    pipeline = [steps[0], dict(type='Resize', scale=[50, 20], keep_ratio=False), steps[1]]
    large = IMAGE.repeat(2, 0)
    samples = []
    for corners in (False, True):
        path = identity(tmp_path / f'{corners}.onnx', pipeline=pipeline, align_corners=corners)
        samples.append(Predictor(path)(large).seg_logits.data)
    small = Predictor(identity(tmp_path / 'small.onnx'))(cv2.resize(large, (50, 20)))
    wanted = functional.interpolate(
        small.seg_logits.data[None], (40, 50), mode='bilinear', align_corners=True
    )
    torch.testing.assert_close(samples[1], wanted[0])
    assert not torch.allclose(*samples)
    outputs = dict(logits=np.array([[[-1.0, 0.0, 1.0]]], np.float32))
    for threshold, labels in ((0.3, [0, 1, 1]), (None, [0, 0, 1]), (0.8, [0, 0, 0])):
        sample = SegDataSample(metainfo=dict(img_shape=(1, 3), ori_shape=(1, 3)))
        _label_map(outputs, replace(METADATA, threshold=threshold), sample)
        assert sample.pred_sem_seg.data.tolist() == [[labels]]
        torch.testing.assert_close(
            sample.seg_logits.data, torch.tensor(outputs['logits']).sigmoid()
        )


def test_an_image_larger_than_the_input(tmp_path: Path) -> None:
    predictor = Predictor(identity(tmp_path / 'a.onnx'))
    with pytest.raises(ValueError, match=r'at most 64 × 32 pixels .*, got 96 × 32'):
        predictor(np.zeros((20, 70, 3), np.uint8))
    cv2.imwrite(str(tmp_path / 'large.png'), np.zeros((20, 70, 3), np.uint8))
    with pytest.raises(ValueError, match=r'large\.png: expected images of at most 64 × 32'):
        predictor(tmp_path / 'large.png')


def test_errors(tmp_path: Path) -> None:
    path = identity(tmp_path / 'a.onnx')
    with pytest.raises(
        ValueError, match=r'is an exported file: expected it without checkpoint=x\.pth$'
    ):
        Predictor(path, 'x.pth')
    with pytest.raises(ValueError, match=r'without device=cpu, deploy=True$'):
        Predictor(path, device='cpu', deploy=True)
    network = identity(
        tmp_path / 'c.onnx', task='classification', model='EfficientNetClassifier b0'
    )
    with pytest.raises(
        ValueError, match='of EfficientNetClassifier b0, which gives logits and no p'
    ):
        Predictor(network)
    raw = identity(tmp_path / 'b.onnx', task='detection', post='raw')
    with pytest.raises(ValueError, match='exported with --post raw, whose outputs are no pred'):
        Predictor(raw)
