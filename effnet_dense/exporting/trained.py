"""A trained detector or segmentor, which is exported with its config."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense import __version__
from effnet_dense.data.config_walk import is_segmentation, type_name
from effnet_dense.data.model_classes import test_dataset
from effnet_dense.exporting.input_size import (
    check_multiple,
    coarsest,
    divisor,
    fits_levels,
    fixed_size,
    input_size,
    scale_of,
    smallest_multiple,
)
from effnet_dense.exporting.request import Settled
from effnet_dense.exporting.soft_nms_default import with_method
from effnet_dense.exporting.suppression import check_nms
from effnet_dense.exporting.tasks import detector_task, label_rules_of, masks_of, panoptic_of
from effnet_dense.inference.predictor import Predictor
from effnet_dense.models import RTDETR
from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.utils.digests import sha256_of

OUTPUTS = {
    'boxes': 'x1, y1, x2, y2 in pixels of the input, (N, M, 4)',
    'scores': 'descending; 0 in unused rows, (N, M)',
    'labels': 'positions in classes; -1 in unused rows, (N, M)',
    'label_map': 'positions in classes, (N, H, W)',
    'logits': 'of the classes, before sigmoid or softmax',
    'deltas': 'of priors, as the head predicts them',
    'centerness': 'logits',
    'relative_boxes': "queries' centre x, y, width, height, as shares of the image, (N, Q, 4)",
    'kernels': "parameters of RTMDet-Ins' networks for masks",
    'prototypes': 'features for masks',
    'masks': 'of the boxes, (N, M, h, w): see the field masks',
    'semantic_logits': 'of things and stuff, (N, C, h, w)',
}

SUPPRESSED = ('nms', 'dense')
"""Ends of files after which, or in which, overlaps are suppressed."""


class Trained:
    """See `exporting.request.Subject`.

    Args:
        predictor: The model in PyTorch.
        checkpoint: The file of its weights.

    Raises:
        ValueError: It is of a kind that cannot be exported.
    """

    def __init__(self, predictor: Predictor, checkpoint: Path) -> None:
        self.predictor = predictor
        self.model = predictor.model
        self.channels = predictor.channels
        segments = is_segmentation(predictor.config)
        self.task = 'semantic' if segments else detector_task(predictor.model)
        self._checkpoint = checkpoint

    def described(self, outputs: Sequence[str]) -> dict[str, str]:
        return {name: OUTPUTS[name] for name in outputs}

    def default_post(self, posts: Sequence[str]) -> str:
        """Return the first; logits if the test pipeline resizes a segmentor's images."""
        steps = test_dataset(self.predictor.config)['pipeline']
        resized = any('Resize' in type_name(step) for step in steps)
        return 'raw' if self.task == 'semantic' and resized else posts[0]

    def default_multiple(self) -> int | None:
        config, needed = self.predictor.config, smallest_multiple(self.model)
        if needed is None or fixed_size(config) is not None:
            return None
        padded = divisor(config.model.get('data_preprocessor') or {})
        common = math.lcm(needed, padded)
        return common if fits_levels(self.model, common) else math.lcm(coarsest(self.model), padded)

    def sides(self, size: tuple[int, int] | None) -> tuple[int, int]:
        sides = input_size(self.predictor.config, size)
        if isinstance(self.model, RTDETR):
            steps = test_dataset(self.predictor.config)['pipeline']
            resize = _resize([dict(step) for step in steps])
            if resize != dict(scale=[sides[1], sides[0]], keep_ratio=False):
                raise ValueError(
                    'RTDETR does not support padding: expected a Resize of the test pipeline with '
                    f'keep_ratio=False to the size of the file, {sides[1]} × {sides[0]} pixels, '
                    f'got {resize}'
                )
        return sides

    def check_multiple(self, multiple: int) -> None:
        check_multiple(self.model, multiple)

    def metadata(self, settled: Settled) -> Metadata:
        config, channels = self.predictor.config, self.channels
        preprocessor: Any = config.model.get('data_preprocessor') or config.data_preprocessor
        steps = [dict(step) for step in test_dataset(config)['pipeline']]
        meta = self.predictor.dataset_meta
        detects = self.task != 'semantic'
        return Metadata(
            task=self.task,
            model=type_name(config.model),
            classes=list(meta['classes']),
            palette=[list(map(int, colour)) for colour in meta.get('palette') or []],
            size=list(settled.sides),
            batch=settled.batch,
            mean=list(preprocessor.get('mean') or [0.0] * channels),
            std=list(preprocessor.get('std') or [1.0] * channels),
            pad_value=float(preprocessor.get('pad_value', preprocessor.get('pad_val', 0)) or 0),
            channels='RGB' if preprocessor.get('bgr_to_rgb') and channels == 3 else 'BGR',
            resize=_resize(steps),
            post=settled.post,
            outputs={},
            nms=_numbers(self.model, config, settled.post) if detects else {},
            pipeline=_plain(steps),
            preprocessor=_plain(dict(preprocessor)),
            checkpoint=self._checkpoint.name,
            sha256=sha256_of(self._checkpoint),
            version=__version__,
            masks=masks_of(self.model) if detects else None,
            panoptic=panoptic_of(self.model) if detects else None,
            **({} if detects else label_rules_of(self.model)),
        )


def _resize(steps: Sequence[Any]) -> dict[str, Any] | None:
    """Return how a pipeline resizes images; see `Metadata.resize`."""
    step = next((step for step in steps if 'Resize' in type_name(step)), None)
    if step is None:
        return None
    if type_name(step) != 'Resize' or step.get('scale') is None:
        return dict(_plain(step), type=type_name(step))
    return dict(scale=list(scale_of(step)), keep_ratio=bool(step.get('keep_ratio')))


def _numbers(model: Any, config: Config, post: str) -> dict[str, Any]:
    """Return the numbers of a detector's decoding and suppression.

    Raises:
        ValueError: See `check_nms`.
    """
    numbers: dict[str, Any] = Config(dict(x=config.model.get('test_cfg') or {})).to_dict()['x']
    if 'nms' in numbers:
        numbers['nms'] = with_method(model, numbers['nms'])
    for stage in (numbers, numbers.get('rpn'), numbers.get('rcnn')):
        if post in SUPPRESSED and stage and 'nms' in stage:
            check_nms(stage['nms'])
    return numbers


def _plain(value: Any) -> Any:
    """Return a config's value as JSON has it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError(f'expected numbers, texts and lists in the test pipeline, got {value!r:.80}')
