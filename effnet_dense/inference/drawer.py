"""Draw a model's predictions with its config's visualizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.visualization import Visualizer

from effnet_dense.data.bands import drawable
from effnet_dense.data.config_walk import is_segmentation
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.evaluation.visualizer import build_visualizer


class Drawer:
    """Draws predictions into images; the visualizer is built at the first one.

    Args:
        config: Its `visualizer` draws; mmdet's or mmseg's if it has none.
        dataset_meta: {'classes': (str, …), 'palette': [(R, G, B), …]}
    """

    def __init__(self, config: Config, dataset_meta: Mapping[str, Any]) -> None:
        default: dict[str, Any] = {'type': 'DetLocalVisualizer'}
        if is_segmentation(config):  # as the shipped configs have it
            default = {'type': 'SegLocalVisualizer', 'alpha': 0.6}
        self._config = dict(config.get('visualizer') or default)
        self._meta = dataset_meta
        self._visualizer: Visualizer | None = None

    def __call__(self, image: ImageArray, sample: Any, score_thr: float = 0.3) -> ImageArray:
        """Draw a sample's predictions into an image (H, W, C), BGR if C is 3.

        Returns:
            An array (H, W, 3) of uint8, BGR.

        Raises:
            ValueError: The config's visualizer cannot be built.
        """
        options = {'pred_score_thr': score_thr} if 'pred_instances' in sample else {}
        rgb = np.ascontiguousarray(drawable(image)[..., ::-1])
        visualizer: Any = self.visualizer
        visualizer.add_datasample('', rgb, data_sample=sample, draw_gt=False, **options)
        return np.ascontiguousarray(visualizer.get_image()[..., ::-1])

    @property
    def visualizer(self) -> Visualizer:
        """The visualizer.

        Raises:
            ValueError: It cannot be built.
        """
        if self._visualizer is None:
            self._visualizer = build_visualizer(self._config, self._meta)
        return self._visualizer

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, '_visualizer': None}  # its figure cannot be copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Drawer:
        return self
