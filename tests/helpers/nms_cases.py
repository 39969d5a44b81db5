"""Kinds of suppression, candidates for them, and what PyTorch and the ONNX graphs keep of them."""

from __future__ import annotations

from typing import Any

import onnxruntime
import torch
from mmcv.ops import batched_nms
from torch import Tensor

from effnet_dense.exporting.suppression import suppression
from effnet_dense.ops.soft_nms import batched_soft_nms

IMAGES, CANDIDATES, MOST = 3, 200, 60
NMS: list[dict[str, Any]] = [
    dict(type='nms', iou_threshold=0.5),
    dict(type='nms', iou_threshold=0.3, class_agnostic=True),
    dict(type='soft_nms', method='gaussian', sigma=0.5, min_score=0.001),
    dict(type='soft_nms', method='gaussian', sigma=0.1, min_score=0.2),
    dict(type='soft_nms', method='linear', iou_threshold=0.3),
    dict(type='soft_nms', method='naive', iou_threshold=0.5),
]


def candidates(seed: int = 0, spread: float = 100.0) -> tuple[Tensor, Tensor, Tensor]:
    """Return boxes (N, K, 4), scores (N, K), a fifth of them 0, and labels (N, K)."""
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(IMAGES, CANDIDATES, 2, generator=generator) * spread
    sides = torch.rand(IMAGES, CANDIDATES, 2, generator=generator) * 60
    scores = torch.rand(IMAGES, CANDIDATES, generator=generator)
    scores[:, ::5] = 0
    labels = torch.randint(0, 4, (IMAGES, CANDIDATES), generator=generator)
    return torch.cat([corner, corner + sides], -1), scores, labels


def run_graph(nms: dict[str, Any], boxes: Tensor, scores: Tensor, labels: Tensor) -> list[Any]:
    model = suppression(nms, boxes.shape[1], MOST)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = dict(candidate_boxes=boxes, candidate_scores=scores, candidate_labels=labels)
    names = ['boxes', 'scores', 'labels']
    return session.run(names, {name: value.numpy() for name, value in given.items()})


def expected(nms: dict[str, Any], boxes: Tensor, scores: Tensor, labels: Tensor) -> list[Any]:
    """What PyTorch finds in one image, of the candidates with a score."""
    boxes, scores, labels = (value[scores > 0] for value in (boxes, scores, labels))
    if nms['type'] == 'nms':
        found, kept = batched_nms(boxes, scores, labels, dict(nms))
        return [found[:MOST, :4], found[:MOST, 4], labels[kept][:MOST]]
    options = {key: value for key, value in nms.items() if key != 'type'}
    kept, lowered = batched_soft_nms(boxes, scores, labels, max_num=MOST, **options)
    return [boxes[kept], lowered, labels[kept]]
