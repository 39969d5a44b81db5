"""Weighted boxes fusion against numbers by hand."""

from __future__ import annotations

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import nn

from effnet_dense.registry import MODELS

BOX = [10.0, 10.0, 50.0, 50.0]


class Found(nn.Module):
    """A model whose views' predictions are given."""

    def test_step(self, data: object) -> object:
        """Not called here."""
        return data


def view(boxes: list[list[float]], scores: list[float], flip: bool = False) -> DetDataSample:
    meta = dict(ori_shape=(100, 200), flip=flip, flip_direction='horizontal' if flip else None)
    sample = DetDataSample(metainfo=meta)
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4),
        scores=torch.tensor(scores),
        labels=torch.zeros(len(scores), dtype=torch.long),
    )
    return sample


def fuse(*views: DetDataSample, **settings: float) -> InstanceData:
    model = MODELS.build(
        dict(type='effnet_dense.WBFTTAModel', module=Found(), tta_cfg=dict(settings))
    )
    return model.merge_preds([list(views)])[0].pred_instances


def test_boxes_of_two_views_are_averaged_by_their_scores() -> None:
    mirrored = [[148.0, 10.0, 188.0, 50.0], [0.0, 60.0, 20.0, 80.0]]  # upright: x from 12 to 52
    found = fuse(view([BOX], [0.8]), view(mirrored, [0.4, 0.5], flip=True))
    expected = torch.tensor([[10 + 2 / 3, 10, 50 + 2 / 3, 50], [180, 60, 200, 80]])
    torch.testing.assert_close(found.bboxes, expected)
    torch.testing.assert_close(found.scores, torch.tensor([0.6, 0.25]))
    assert found.labels.tolist() == [0, 0] and found.labels.dtype == torch.long


def test_threshold_and_number() -> None:
    def near(**settings: float) -> list[float]:
        other = [12.0, 10.0, 52.0, 50.0]  # IoU 0.905
        return fuse(view([BOX], [0.8]), view([other], [0.4]), **settings).scores.tolist()

    assert near() == pytest.approx([0.6])
    assert near(iou_threshold=0.95) == pytest.approx([0.4, 0.2])
    assert near(iou_threshold=0.95, max_per_img=1) == pytest.approx([0.4])


def test_nothing_found_and_boxes_without_area() -> None:
    found = fuse(view([], []), view([[5.0, 5.0, 5.0, 9.0]], [0.9]))
    assert found.bboxes.shape == (0, 4) and found.labels.dtype == torch.long
