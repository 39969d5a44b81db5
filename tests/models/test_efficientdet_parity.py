"""A whole EfficientDet beside effdet's with the same weights: outputs, losses, gradients, boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmcv
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from effnet_dense.weights import export_weights, load_weights
from tests.helpers import peers
from tests.helpers.tiers import slow_except

CASES = {
    'tf_efficientdet_d0': dict(),
    'tf_efficientdet_d3': dict(),
    'tf_efficientdet_lite0': dict(),
    'tf_efficientdet_lite3x': dict(),
    'efficientdet_d0': dict(),
    # D7x' topology, with a small backbone.
    'tf_efficientdet_d7x': dict(
        backbone_name='tf_efficientnet_b0', fpn_channels=48, fpn_cell_repeats=2, box_class_repeats=2
    ),
}
SIZE = (128, 128)
D7X_SIZE = (256, 256)  # its coarsest stride
BOXES = [
    [[10.0, 20, 80, 110], [30, 30, 60, 50], [31, 31, 62, 52], [5, 5, 9, 9]],
    [[25.0, 30, 100, 125]],
]
LABELS = [[3, 7, 7, 50], [0]]


def pair(name: str, size: tuple[int, int], **overrides: Any) -> tuple[nn.Module, nn.Module]:
    """effdet's detector with random weights, and ours with the same."""
    peer = peers.build_effdet_detector(name, size, **overrides)
    init_default_scope('mmdet')
    train_cfg = dict(assigner=dict(type='effnet_dense.ArgMaxAssigner'))
    ours = MODELS.build(ConfigDict(train_cfg=train_cfg, **peers.effdet_twin(peer)))
    report = load_weights(ours, peer.state_dict())
    assert (report.format, report.missing, report.unexpected) == ('effdet', (), ())
    return ours.eval(), peer


def relative(a: Tensor, b: Tensor) -> float:
    """max |a − b| / max |b|."""
    assert a.shape == b.shape
    return ((a - b).abs().max() / b.abs().max()).item()


def truths() -> list[InstanceData]:
    return [
        InstanceData(bboxes=torch.tensor(boxes), labels=torch.tensor(labels))
        for boxes, labels in zip(BOXES, LABELS, strict=True)
    ]


@pytest.mark.parametrize('name', slow_except(CASES, 'tf_efficientdet_lite0', 'efficientdet_d0'))
def test_outputs_losses_and_gradients(name):
    size = D7X_SIZE if 'd7x' in name else SIZE
    ours, peer = pair(name, size, **CASES[name])
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected_logits, expected_deltas = peer(x)
        logits, deltas = ours.bbox_head(ours.extract_feat(x))
    for a, b in zip(logits, expected_logits, strict=True):
        assert relative(a, b) < 1e-4
    for a, b in zip(deltas, expected_deltas, strict=True):
        x_first = a.unflatten(1, (9, 4))[:, :, [1, 0, 3, 2]].flatten(1, 2)
        assert relative(x_first, b) < 1e-4

    # In double precision, where a small gradient is not lost among large ones.
    ours, peer, x = ours.double(), peer.double(), x.double()
    losses = ours.bbox_head.loss_by_feat(
        *ours.bbox_head(ours.extract_feat(x)), truths(), [dict(img_shape=size)] * 2
    )
    expected = effdet_losses(peer, x)
    assert losses['loss_cls'].item() == pytest.approx(expected['class_loss'].item(), rel=1e-4)
    assert losses['loss_bbox'].item() == pytest.approx(50 * expected['box_loss'].item(), rel=1e-4)

    (losses['loss_cls'] + losses['loss_bbox']).backward()
    expected['loss'].backward()
    gradients = {name: parameter.grad for name, parameter in peer.named_parameters()}
    for parameter in ours.parameters():  # their gradients, under effdet's names
        parameter.data, parameter.grad = parameter.grad, None
    exported = export_weights(ours, 'effdet')
    assert set(gradients) <= set(exported)
    worst = max(relative(exported[name], gradient) for name, gradient in gradients.items())
    assert worst < 1e-4


def effdet_losses(peer: nn.Module, x: Tensor) -> dict[str, Tensor]:
    from effdet import DetBenchTrain

    bench = DetBenchTrain(peer)
    bench.training = True  # no boxes; the network's norms stay frozen
    return bench(
        x,
        dict(
            bbox=[torch.tensor(boxes)[:, [1, 0, 3, 2]] for boxes in BOXES],
            cls=[torch.tensor(labels) + 1 for labels in LABELS],
        ),
    )


def letterboxed(paths: list[Path], size: tuple[int, int]) -> tuple[Tensor, list[tuple[int, int]]]:
    """Images scaled into a square's upper left corner, and their (H, W) in it."""
    batch, shapes = torch.zeros(len(paths), 3, *size), []
    for image, path in zip(batch, paths, strict=True):
        pixels = mmcv.imrescale(mmcv.imread(path, channel_order='rgb'), size)
        height, width = pixels.shape[:2]
        image[:, :height, :width] = torch.from_numpy(pixels).permute(2, 0, 1) / 64 - 2
        shapes.append((height, width))
    return batch, shapes


@pytest.mark.slow
@pytest.mark.parametrize('nms', ['hard', 'soft'])
@pytest.mark.parametrize(
    'name', slow_except(['tf_efficientdet_d0', 'tf_efficientdet_lite0'], 'tf_efficientdet_lite0')
)
def test_detections(name, nms, shared_data):
    """The same boxes on COCO128's images. 80 classes, logits so far apart that none tie."""
    from effdet import DetBenchPredict

    size = (256, 256) if name.endswith('d0') else (320, 320)
    ours, peer = pair(name, size, num_classes=80, soft_nms=nms == 'soft')
    paths = sorted((shared_data / 'coco128' / 'train2017').glob('*.jpg'))[:2]
    assert len(paths) == 2
    batch, shapes = letterboxed(paths, size)
    peers.separate_scores_(peer, batch)
    load_weights(ours, peer.state_dict())
    soft = dict(type='soft_nms', iou_threshold=0.3, sigma=0.5, min_score=1e-3, method='gaussian')
    hard = dict(type='nms', iou_threshold=0.5)
    cfg = ConfigDict(nms_pre=5000, nms=soft if nms == 'soft' else hard, max_per_img=100)
    scale = torch.ones(len(batch))
    widths_first = torch.tensor([shape[::-1] for shape in shapes], dtype=torch.float32)
    with torch.no_grad():
        expected = DetBenchPredict(peer)(batch, dict(img_scale=scale, img_size=widths_first))
        logits, deltas = ours.bbox_head(ours.extract_feat(batch))
    found = ours.bbox_head.predict_by_feat(
        logits, deltas, batch_img_metas=[dict(img_shape=shape) for shape in shapes], cfg=cfg
    )
    for result, theirs in zip(found, expected, strict=True):
        theirs = theirs[theirs[:, 5] > 0]
        assert len(result) == len(theirs) > 50
        same_label = result.labels[:, None] == theirs[:, 5].long() - 1
        same_score = (result.scores[:, None] - theirs[:, 4]).abs() < 1e-4
        iou = bbox_overlaps(result.bboxes, theirs[:, :4])
        distance = (result.bboxes[:, None] - theirs[:, :4]).abs().amax(2)
        # A box that left the image was clipped to a line, which has no IoU.
        matches = same_label & same_score & ((iou > 0.999) | (distance < 1e-3))
        assert matches.any(1).all()
        assert matches.any(0).all()
