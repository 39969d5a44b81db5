"""Explain predictions: a map for each object, or for each class of a label map.

Shapes: images H × W; the network's input h × w.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from numpy.typing import NDArray
from torch import Tensor

from effnet_dense.engine.checks.numbers import check_share
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.inference.explaining.activation_maps import METHODS, combined
from effnet_dense.inference.explaining.candidates import candidates, has_candidates
from effnet_dense.inference.explaining.pixels import class_score, has_pixels, pixel_logits
from effnet_dense.inference.predictor import Predictor

LAYERS = ('backbone', 'neck')
NO_GRADIENTS = 'an exported file has no gradients: explain its checkpoint instead'


@dataclass(frozen=True)
class Explanation:
    """What one object, or one class of a label map, rests on.

    Attributes:
        name: Of the class.
        label: Its number.
        score: The detection's; of a class its share of the image.
        box: (4,) as x1, y1, x2, y2 in pixels; None for a class.
        mask: (H, W) bool; None for a detection without one.
        heat: (H, W) float32 from 0 to 1: high where the score comes from.
    """

    name: str
    label: int
    score: float
    box: NDArray[np.float32] | None
    mask: NDArray[np.bool_] | None
    heat: NDArray[np.float32]


class Explainer:
    """Computes class-activation maps.

    Args:
        predictor: With a detector that has one dense head or one second stage, or a segmentor.
        method: One of `activation_maps.METHODS`.
        layer: 'backbone' or 'neck': whose features the maps are made of, all levels together.

    Raises:
        ValueError: An argument is unknown, or there are no gradients of such a model.
    """

    def __init__(
        self, predictor: Predictor, method: str = 'hirescam', layer: str = 'backbone'
    ) -> None:
        if method not in METHODS:
            raise ValueError(f'expected method to be one of {", ".join(METHODS)}, got {method!r}')
        if layer not in LAYERS:
            raise ValueError(f'expected layer to be one of {", ".join(LAYERS)}, got {layer!r}')
        check_explainable(predictor.model)
        self.predictor = predictor
        self._model: Any = predictor.model  # the predictor may exchange its own for a converted one
        self._method = METHODS[method]
        self._layer = layer

    def __call__(
        self, image: ImageArray, top: int = 3, score_thr: float = 0.3
    ) -> tuple[Any, list[Explanation]]:
        """Predict on an image and explain the prediction.

        Args:
            image: (H, W, C) uint8, from `Predictor.read`.
            top: See `explain`.
            score_thr: See `explain`.

        Returns:
            The prediction, and an explanation of each object or class.
        """
        (sample,) = self.predictor.predict([image])
        return sample, self.explain(image, sample, top, score_thr)

    def explain(
        self, image: ImageArray, sample: Any, top: int = 3, score_thr: float = 0.3
    ) -> list[Explanation]:
        """Explain a prediction, which may be another model's.

        Args:
            image: (H, W, C) uint8, from `Predictor.read`.
            sample: The prediction on it.
            top: Most objects, by their scores, or classes, by their areas.
            score_thr: Objects with lower scores are left out.

        Raises:
            ValueError: `top` is below 1, or `score_thr` is no share.
        """
        if top < 1:
            raise ValueError(f'expected top to be at least 1, got {top}')
        check_share('score_thr', score_thr)
        if has_pixels(self._model):
            return list(self._classes(image, sample, top))
        return list(self._objects(image, sample, top, score_thr))

    def _objects(
        self, image: ImageArray, sample: Any, top: int, score_thr: float
    ) -> Iterator[Explanation]:
        found = sample.pred_instances
        order = found.scores.argsort(descending=True, stable=True)[:top]
        found = found[order[found.scores[order] >= score_thr]]
        if not len(found):
            return
        with torch.enable_grad():
            meta, inputs, levels, features = self._features(image)
            chosen = candidates(self._model, features, [meta])
        scale = torch.tensor(meta.scale_factor, device=inputs.device).float().repeat(2)
        for row, name in zip(found, self._names(found.labels), strict=True):
            label, box = int(row.labels[0]), row.bboxes[0].to(inputs.device)
            score = chosen.score(box * scale, label)
            mask = row.masks[0].numpy().astype(bool) if 'masks' in row else None
            heat = self._heat(score, levels, inputs, meta)
            yield Explanation(name, label, float(row.scores), row.bboxes[0].numpy(), mask, heat)

    def _classes(self, image: ImageArray, sample: Any, top: int) -> Iterator[Explanation]:
        label_map = sample.pred_sem_seg.data[0]
        classes = len(self.predictor.dataset_meta['classes'])
        areas = torch.bincount(label_map.flatten(), minlength=classes)[:classes]
        order = areas.argsort(descending=True, stable=True)[:top]
        order = order[areas[order] > 0]
        with torch.enable_grad():
            meta, inputs, levels, features = self._features(image)
            logits = pixel_logits(self._model, features)
            logits = _without_padding(logits, meta.img_shape, inputs.shape[-2:])
        for label, name in zip(order.tolist(), self._names(order), strict=True):
            mask = label_map == label
            score = class_score(logits, mask.to(inputs.device), label)
            heat = self._heat(score, levels, inputs, meta)
            yield Explanation(name, label, float(mask.float().mean()), None, mask.numpy(), heat)

    def _names(self, labels: Tensor) -> list[str]:
        return [self.predictor.dataset_meta['classes'][label] for label in labels.tolist()]

    def _features(self, image: ImageArray) -> tuple[Any, Tensor, list[Tensor], list[Tensor]]:
        """Run backbone and neck on an image.

        Returns:
            Its data sample, the input (1, 3, h, w), the levels of which maps are made, and those
            that the head takes.
        """
        model = self._model
        batch = pseudo_collate([self.predictor.prepare(image)])
        data = model.data_preprocessor(batch, False)
        neck: Callable[..., Any] = model.neck if model.with_neck else tuple
        with torch.no_grad():
            levels = model.backbone(data['inputs'])
            levels = neck(levels) if self._layer == 'neck' else levels
        leaves = [level.detach().requires_grad_() for level in levels]
        copies = tuple(leaf.clone() for leaf in leaves)  # what follows may change them in place
        features = copies if self._layer == 'neck' else neck(copies)
        return data['data_samples'][0], data['inputs'], leaves, list(features)

    def _heat(
        self, score: Tensor, levels: list[Tensor], inputs: Tensor, meta: Any
    ) -> NDArray[np.float32]:
        """Return a score's map (H, W) in the image."""
        gradients = torch.autograd.grad(score, levels, retain_graph=True, allow_unused=True)
        one = [None if each is None else each[0] for each in gradients]
        size = inputs.shape[-2], inputs.shape[-1]
        heat = combined([level.detach()[0] for level in levels], one, self._method, size)
        height, width = meta.img_shape[:2]
        inside = heat[:height, :width].float().cpu().numpy()
        rows, columns = meta.ori_shape[:2]
        large = cv2.resize(inside, (columns, rows), interpolation=cv2.INTER_LINEAR)
        return (large / max(large.max(), np.finfo(np.float32).tiny)).astype(np.float32)


def check_explainable(model: Any) -> None:
    """Check that a model's scores have gradients that `Explainer` can follow.

    Raises:
        ValueError: They have not.
    """
    if hasattr(model, 'session'):
        raise ValueError(NO_GRADIENTS)
    if not has_candidates(model) and not has_pixels(model):
        raise ValueError(
            'explain is for detectors with one second stage, or one dense head whose boxes its '
            'bbox_coder decodes, without panoptic fusion, and for segmentors with one decode head; '
            f'got {type(model).__name__}'
        )


def _without_padding(
    logits: Tensor, shape: tuple[int, int], padded: torch.Size | tuple[int, int]
) -> Tensor:
    """Cut off the logits (C, h, w) of an input's padding, which is below and at the right."""
    rows, columns = (
        max(1, round(all_ * inside / outside))
        for all_, inside, outside in zip(logits.shape[1:], shape, padded, strict=False)
    )
    return logits[:, :rows, :columns]
