"""Predictions drawn into pictures, by the config's visualizer."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import VISUALIZERS

from effnet_dense.data.config_walk import is_segmentation
from effnet_dense.inference.images import Picture

_NUMBER = itertools.count()


class Drawing:
    """Draws data samples.

    Args:
        config: Its `visualizer` draws; mmdet's or mmseg's own where it has none.
        dataset_meta: Names and colours of the classes.
        score_thr: Boxes and masks of a lower score are left out.
    """

    def __init__(self, config: Config, dataset_meta: dict[str, Any], score_thr: float) -> None:
        kind = 'SegLocalVisualizer' if is_segmentation(config) else 'DetLocalVisualizer'
        visualizer = dict(config.get('visualizer') or {'type': kind})
        # mmengine keeps visualizers by name; one of our own writes nowhere by itself.
        visualizer.update(name=f'inference_{next(_NUMBER)}', vis_backends=None)
        self._visualizer = VISUALIZERS.build(visualizer)
        self._visualizer.dataset_meta = dataset_meta
        self._score_thr = score_thr

    def __call__(self, picture: Picture, sample: Any) -> Picture:
        """A picture (H, W, 3), BGR, with a sample's predictions in it."""
        options = {'pred_score_thr': self._score_thr} if 'pred_instances' in sample else {}
        rgb = np.ascontiguousarray(picture[..., ::-1])
        self._visualizer.add_datasample('', rgb, data_sample=sample, draw_gt=False, **options)
        return np.ascontiguousarray(self._visualizer.get_image()[..., ::-1])
