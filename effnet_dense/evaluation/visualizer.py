"""What mmdet's visualizer lacks."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import PixelData
from numpy.typing import NDArray

from effnet_dense.registry import VISUALIZERS


@VISUALIZERS.register_module()
class PanopticVisualizer(DetLocalVisualizer):
    """mmdet's visualizer, which also takes a panoptic map without a single segment.

    mmdet's stops at one with "need at least one array to stack". Heuristic fusion gives such maps:
    no thing above its score threshold, no stuff above its smallest area.
    """

    def _draw_panoptic_seg(
        self,
        image: NDArray[np.uint8],
        panoptic_seg: PixelData,
        classes: list[str],
        palette: Any,
    ) -> NDArray[np.uint8]:
        """Draw the segments of a map (1, H, W) into an image (H, W, 3), if there are any."""
        if bool((panoptic_seg.sem_seg == len(classes)).all()):
            return image
        return super()._draw_panoptic_seg(image, panoptic_seg, classes, palette)
