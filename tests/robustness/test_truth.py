"""The gradient of a model's loss, and ground truth that fits the network's input."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

from effnet_dense.robustness.truth import check_has_loss, loss_gradient, truths_of


class Linear(BaseModel):
    """Its loss is Σ weights · inputs, beside a figure that is no loss."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def loss(self, inputs: Tensor, samples: list[Any]) -> dict[str, Tensor]:
        return dict(loss_a=(self.weights * inputs).sum(), acc=inputs.square().sum().detach())

    def forward(self, *_: Any, **__: Any) -> None: ...


def test_the_gradient_is_that_of_the_losses() -> None:
    weights = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = loss_gradient(Linear(weights), torch.ones(2, 3, 2, 2), [])
    torch.testing.assert_close(found, weights.expand(2, 3, 2, 2))


def test_a_loss_that_fails_is_explained() -> None:
    model = Linear(torch.ones(1))
    model.weights = None  # type: ignore[assignment]
    with pytest.raises(ValueError, match='loss of Linear, which attacks need, cannot be computed'):
        loss_gradient(model, torch.ones(1, 3, 2, 2), [])


def test_models_without_a_loss_are_refused() -> None:
    with pytest.raises(ValueError, match='attacks need a loss, which SimpleNamespace'):
        check_has_loss(SimpleNamespace())
    head = SimpleNamespace(train_cfg=None)
    with pytest.raises(ValueError, match=r'no model\.train_cfg in the config'):
        check_has_loss(SimpleNamespace(loss=len, bbox_head=head))
    check_has_loss(SimpleNamespace(loss=len, bbox_head=SimpleNamespace(train_cfg=dict(a=1))))


def test_label_maps_are_resized_and_padded() -> None:
    """(4, 4) → (2, 2), of which each value is its first pixel, → (3, 4)."""
    labels = torch.tensor([[1, 5, 2, 5], [5, 5, 5, 5], [3, 5, 255, 5], [5, 5, 5, 5]])
    sample = SegDataSample(gt_sem_seg=PixelData(data=labels[None]))
    sample.set_metainfo(dict(img_shape=(2, 2), img_path='a.png'))
    model = SimpleNamespace(
        decode_head=SimpleNamespace(ignore_index=9), data_preprocessor=SimpleNamespace()
    )
    (made,) = truths_of(model, [sample], torch.zeros(1, 3, 3, 4))
    assert made.gt_sem_seg.data[0].tolist() == [[1, 2, 9, 9], [3, 255, 9, 9], [9, 9, 9, 9]]
    assert made.gt_sem_seg.data.dtype == labels.dtype
    assert sample.gt_sem_seg.data.shape == (1, 4, 4), 'the metric still needs it'


@pytest.mark.parametrize(
    ('sample', 'match'),
    [
        (SegDataSample(), 'attacks need label maps, x.png has none'),
        (DetDataSample(), r'loads none for x\.png: add LoadAnnotations'),
        (DetDataSample(gt_instances=InstanceData()), r'loads none for x\.png'),
    ],
)
def test_samples_without_truth_are_refused(sample: Any, match: str) -> None:
    sample.set_metainfo(dict(img_path='x.png', img_shape=(2, 2)))
    with pytest.raises(ValueError, match=match):
        truths_of(SimpleNamespace(), [sample], torch.zeros(1, 3, 2, 2))
