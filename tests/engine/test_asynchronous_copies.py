"""Batches are copied without waiting, and the images stay the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement, InstanceData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import nn

from effnet_dense.engine.asynchronous_copies import copy_asynchronously, with_pinned_memory

NORMALISED: dict[str, Any] = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0])


@pytest.fixture(autouse=True)
def _unpatched() -> Any:
    yield
    if hasattr(BaseDataElement, 'pin_memory'):
        del BaseDataElement.pin_memory


def test_pinned_memory_on_gpus_only() -> None:
    loader = dict(batch_size=2)
    assert with_pinned_memory(loader, 'cuda') == dict(batch_size=2, pin_memory=True)
    assert loader == dict(batch_size=2)
    assert with_pinned_memory(loader, 'cpu') is loader
    own = dict(batch_size=2, pin_memory=False)
    assert with_pinned_memory(own, 'cuda') is own
    assert with_pinned_memory(None, 'cuda') is None


def test_ground_truth_is_pinned_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    with_pinned_memory({}, 'cuda')
    monkeypatch.setattr(torch.Tensor, 'pin_memory', lambda self: self + 1)
    truth = InstanceData(boxes=torch.zeros(1, 4), names=['a'])
    sample: Any = DetDataSample(gt_instances=truth, metainfo=dict(img_shape=(2, 3)))
    pinned = sample.pin_memory()
    assert pinned.gt_instances.boxes.tolist() == [[1, 1, 1, 1]]
    assert pinned.gt_instances.names == ['a']
    assert pinned.img_shape == (2, 3)
    assert sample.gt_instances.boxes.tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize(
    ('kind', 'sample'), [(DetDataPreprocessor, DetDataSample), (SegDataPreProcessor, SegDataSample)]
)
@pytest.mark.parametrize('stacked', [False, True])
def test_images_stay_the_same(kind: Any, sample: Any, stacked: bool) -> None:
    plain, changed = kind(bgr_to_rgb=True, **NORMALISED), nn.Module()
    changed.data_preprocessor = kind(bgr_to_rgb=True, **NORMALISED)
    copy_asynchronously(changed, 'cuda')
    images: Any = torch.randint(0, 255, (2, 3, 4, 6), dtype=torch.uint8)
    samples = [sample(metainfo=dict(img_shape=(4, 6))) for _ in images]
    batch = dict(inputs=images if stacked else list(images), data_samples=samples)
    expected = plain(dict(batch), False)['inputs']
    assert torch.equal(changed.data_preprocessor(dict(batch), False)['inputs'], expected)
    assert changed.data_preprocessor._non_blocking


def test_others_stay() -> None:
    model = nn.Module()
    copy_asynchronously(model, 'cuda')
    model.data_preprocessor = DetDataPreprocessor(bgr_to_rgb=True)
    copy_asynchronously(model, 'cpu')
    assert not model.data_preprocessor._non_blocking
    assert model.data_preprocessor._channel_conversion
