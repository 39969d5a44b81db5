"""Visualizers that draw with `drawing`, instead of mmdet's and mmseg's.

Theirs cut captions off at the image's edge and tint instances in random variations of their
class's colour.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmdet.evaluation import INSTANCE_OFFSET
from mmdet.visualization import DetLocalVisualizer
from mmdet.visualization.palette import get_palette
from mmengine.structures import InstanceData, PixelData
from mmengine.visualization import LocalVisBackend, Visualizer
from mmseg.visualization import SegLocalVisualizer
from numpy.typing import NDArray

from effnet_dense.evaluation.captions import Colour, ImageArray, line_width
from effnet_dense.evaluation.drawing import (
    as_colour,
    draw_boxes,
    draw_label_map,
    draw_masks,
    draw_segments,
)
from effnet_dense.evaluation.vis_backend import LocalBackend
from effnet_dense.registry import VISUALIZERS
from effnet_dense.utils.config_errors import config_errors

Names = Sequence[str] | None
MMDET_TEXT_COLOUR = (200, 200, 200)
"""mmdet's default, for its black plates; any other colour is the user's choice."""

MMDET_LINE_WIDTH = 3
"""mmdet's default, in whose place lines grow with the image; any other is the user's choice."""

MASK_OPACITY = 0.5
"""By default instead of mmdet's 0.8, which hides the objects."""

_NUMBER = itertools.count()


# 'PanopticVisualizer' is the older name, which existing configs and user code contain.
@VISUALIZERS.register_module(name=['DetectionVisualizer', 'PanopticVisualizer'])
class DetectionVisualizer(DetLocalVisualizer):
    """Draws boxes, instance masks, panoptic and label maps of DetDataSamples.

    Panoptic maps without a single segment are fine, where mmdet's visualizer stops with "need at
    least one array to stack". Heuristic fusion gives such maps: no thing above its score
    threshold, no stuff above its smallest area.

    The arguments are mmdet's; `text_color` is by default black or white, by contrast, and
    `line_width` grows with the image.
    """

    def _draw_instances(
        self, image: ImageArray, instances: InstanceData, classes: Names, palette: Any
    ) -> ImageArray:
        """Draw N instances on an image (H, W, 3), the most confident on top."""
        if 'scores' in instances:
            instances = instances[instances.scores.argsort()]
        labels = [int(label) for label in instances.labels]
        texts = _captions(instances, labels, classes)
        inks = self._text_colours(labels)
        boxes = _array(instances.bboxes) if 'bboxes' in instances else np.zeros((0, 4))
        masks = _masks(instances.masks) if 'masks' in instances else None
        tints = _colours(palette if self.mask_color is None else self.mask_color, labels)
        if not boxes.any():  # models without boxes, such as SOLO, give zeros
            return draw_segments(image, masks or [], texts, tints, self.alpha, inks)
        drawn = image if masks is None else draw_masks(image, masks, tints, self.alpha)
        edges = _colours(palette if self.bbox_color is None else self.bbox_color, labels)
        own = self.line_width != MMDET_LINE_WIDTH
        width = max(round(self.line_width), 1) if own else line_width(*image.shape[:2])
        return draw_boxes(drawn, boxes, texts, edges, width, inks)

    def _draw_panoptic_seg(
        self, image: ImageArray, panoptic_seg: PixelData, classes: Names, palette: Any
    ) -> ImageArray:
        """Draw the segments of a map (1, H, W) of label + 1000 · instance into (H, W, 3)."""
        names = panoptic_seg.metainfo.get('label_names', classes) or ()
        void = len(names)
        if 'label_names' in panoptic_seg:
            void = panoptic_seg.metainfo.get('ignore_index', void)
        panoptic = _array(panoptic_seg.sem_seg)[0]
        ids = [each for each in np.unique(panoptic).tolist() if each != void]
        labels = [each % INSTANCE_OFFSET for each in ids]
        return draw_segments(
            image,
            [panoptic == each for each in ids],
            [names[label] for label in labels],
            _colours(palette if self.mask_color is None else self.mask_color, labels),
            self.alpha,
            self._text_colours(labels),
        )

    def _draw_sem_seg(
        self, image: ImageArray, sem_seg: PixelData, classes: Names, palette: Any
    ) -> ImageArray:
        """Draw a label map (1, H, W) into an image (H, W, 3)."""
        names = sem_seg.metainfo.get('label_names', classes)
        labels = _array(sem_seg.sem_seg)[0].astype(np.int64)
        known = len(names) if names else int(labels.max(initial=0)) + 1
        labels[labels == sem_seg.metainfo.get('ignore_index', 255)] = known
        colours = np.array(get_palette(palette, known)[:known], dtype=np.uint8)
        return draw_label_map(image, labels, colours, names, self.alpha)

    def _text_colours(self, labels: Sequence[int]) -> list[Colour] | None:
        if self.text_color is None or self.text_color == MMDET_TEXT_COLOUR:
            return None
        return _colours(self.text_color, labels)


@VISUALIZERS.register_module()
class SegmentationVisualizer(SegLocalVisualizer):
    """Draws label maps of SegDataSamples; the arguments are mmseg's."""

    def _draw_sem_seg(
        self,
        image: ImageArray,
        sem_seg: PixelData,
        classes: Names,
        palette: Any,
        with_labels: bool | None = True,
    ) -> ImageArray:
        """Draw a label map (1, H, W) into an image (H, W, 3)."""
        colours = np.array(palette, dtype=np.uint8)
        names = classes if with_labels else None
        drawn = draw_label_map(image, _array(sem_seg.data)[0], colours, names, self.alpha)
        self.set_image(drawn)
        return drawn


def own_visualizer(config: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the local visualizer and backend in a config by ours; other types stay."""
    kind = config.get('type')
    if 'vis_backends' in config:
        config = {**config, 'vis_backends': _own_backends(config['vis_backends'])}
    if kind in ('DetLocalVisualizer', 'mmdet.DetLocalVisualizer', DetLocalVisualizer):
        return {'alpha': MASK_OPACITY, **config, 'type': DetectionVisualizer}
    if kind in ('SegLocalVisualizer', 'mmseg.SegLocalVisualizer', SegLocalVisualizer):
        return {**config, 'type': SegmentationVisualizer}
    return dict(config)


def _own_backends(backends: Any) -> Any:
    if isinstance(backends, list | tuple):
        return [_own_backends(backend) for backend in backends]
    local = ('LocalVisBackend', 'mmengine.LocalVisBackend', LocalVisBackend)
    if not isinstance(backends, Mapping) or backends.get('type') not in local:
        return backends
    return {'name': 'LocalVisBackend', **backends, 'type': LocalBackend}


def check_drawing(config: Mapping[str, Any]) -> None:
    """Check the numbers of a visualizer's config, which are read when the first image is drawn.

    Args:
        config: A config's `visualizer`.

    Raises:
        ValueError: Names the key, and its value.
    """
    for name, largest in (('line_width', math.inf), ('alpha', 1)):
        value = config.get(name, 1)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= largest or value == math.inf:
            limits = 'at least 0' if largest == math.inf else f'from 0 to {largest}'
            raise ValueError(f'visualizer.{name} must be a number, {limits}, got {value!r}')


def build_visualizer(config: Mapping[str, Any], dataset_meta: Any) -> Visualizer:
    """Build a separate visualizer that has no backends to write to.

    Args:
        config: A config's `visualizer`, see `own_visualizer`.
        dataset_meta: {'classes': (str, …), 'palette': [(R, G, B), …]}

    Raises:
        ValueError: See `check_drawing`; or an unknown or impossible argument.
    """
    check_drawing(config)
    # mmengine keeps visualizers by name.
    own = {'name': f'own_{next(_NUMBER)}', 'vis_backends': None}
    with config_errors('visualizer', values=True):
        visualizer = VISUALIZERS.build({**own_visualizer(config), **own})
    visualizer.dataset_meta = dataset_meta
    return visualizer


def _captions(instances: InstanceData, labels: Sequence[int], classes: Names) -> list[str]:
    """Return class names, for predictions with scores."""
    if 'label_names' in instances:
        texts = [str(name) for name in instances.label_names]
    else:
        texts = [classes[label] if classes else f'class {label}' for label in labels]
    if 'scores' not in instances:
        return texts
    return [f'{text} {score:.2f}' for text, score in zip(texts, instances.scores, strict=True)]


def _colours(palette: Any, labels: Sequence[int]) -> list[Colour]:
    """Return each label's RGB colour, from anything that mmdet takes as a palette."""
    colours = get_palette(palette, max(labels, default=-1) + 1)
    return [as_colour(colours[label]) for label in labels]


def _masks(masks: Any) -> list[NDArray[Any]]:
    """Return N masks (H, W) of a tensor, or of mmdet's BitmapMasks or PolygonMasks."""
    return list(masks.to_ndarray() if hasattr(masks, 'to_ndarray') else _array(masks))


def _array(values: Any) -> NDArray[Any]:
    """Convert an array, a tensor or mmdet's boxes to an array."""
    values = getattr(values, 'tensor', values)
    return values if isinstance(values, np.ndarray) else values.cpu().numpy()
