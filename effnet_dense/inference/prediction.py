"""What a Predictor returns: data samples of mmdet and mmseg that convert and draw themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement
from mmseg.structures import SegDataSample

from effnet_dense.engine.checks.numbers import check_share
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.inference.categories import default_ids
from effnet_dense.inference.coco_results import detections, run_lengths, segments
from effnet_dense.inference.drawer import Drawer
from effnet_dense.inference.images import ImageReader

if TYPE_CHECKING:
    from supervision import Detections

NO_CONTEXT = 'this sample was made without a Predictor: its classes are unknown'


@dataclass(frozen=True)
class Context:
    """What the predictions of one model have in common.

    Args:
        classes: The model's class names, in the order of its labels.
        drawer: Draws predictions.
        read: Converts an image to an array, as the model's images are read.
        things: Number of thing classes, which come first; 0 unless the model is panoptic.
    """

    classes: tuple[str, ...]
    drawer: Drawer = field(repr=False)
    read: ImageReader = field(repr=False)
    things: int = 0


class Prediction(BaseDataElement):
    """Methods of both kinds of samples.

    Shapes: K detections or segments, images H × W.
    """

    _context: Context | None = None

    @property
    def context(self) -> Context:
        """What the model's predictions have in common.

        Raises:
            ValueError: The sample was made without a Predictor.
        """
        if self._context is None:
            raise ValueError(NO_CONTEXT)
        return self._context

    @property
    def classes(self) -> tuple[str, ...]:
        """The model's class names, in the order of its labels."""
        return self.context.classes

    @property
    def class_names(self) -> list[str]:
        """The class name of each detection, of each segment, or of each class in the label map."""
        return [self.classes[label] for label in self.to_numpy()['labels']]

    def new(self, **values: Any) -> Any:
        """Return a copy with other metainfo or data, which `cpu()` and `to()` call."""
        return with_context(super().new(**values), self._context)

    def clone(self) -> Any:
        """Return a copy."""
        return with_context(super().clone(), self._context)

    def to_numpy(self) -> dict[str, Any]:
        """Return the predictions as arrays.

        Returns:
            Detections: `bboxes` (K, 4) float32 as x1, y1, x2, y2 in pixels, `scores` (K,),
            `labels` (K,), and `masks` (K, H, W) bool of instance segmentation. Semantic:
            `label_map` (H, W) and `labels`, those in it. Panoptic: `segment_map` (H, W), in which
            segment i has the number i + 1 and 0 is void, and `labels` (K,) of the segments.
        """
        if 'pred_panoptic_seg' in self:
            ids, records = self._segments()
            labels = np.array([record['category_id'] for record in records], np.int64)
            return {'segment_map': ids, 'labels': labels}
        if 'pred_sem_seg' in self:
            label_map = self.pred_sem_seg.data[0].cpu().numpy()
            return {'label_map': label_map, 'labels': np.unique(label_map)}
        instances = self.pred_instances.cpu()
        names = [name for name in ('bboxes', 'scores', 'labels', 'masks') if name in instances]
        return {name: instances[name].numpy() for name in names}

    def to_coco(
        self, image_id: int = 0, categories: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Return the predictions in COCO's results format.

        Args:
            image_id: Id of the image.
            categories: Category id of each label; by default COCO's own for its 80 classes,
                1, 2, … for others.

        Returns:
            An entry for each detection: `bbox` as [x, y, width, height], `score`, and
            `segmentation` as run lengths if there are masks. For a label map an entry for each
            class, for a panoptic map one for each segment, with `segmentation`.

        Raises:
            ValueError: `categories` has another length than the classes.
        """
        ids = tuple(default_ids(self.classes).categories if categories is None else categories)
        if len(ids) != len(self.classes):
            raise ValueError(f'expected {len(self.classes)} categories, got {len(ids)}')
        if 'pred_panoptic_seg' in self:
            segment_map, records = self._segments()
            return [
                {
                    **{key: record[key] for key in ('isthing', 'area', 'bbox')},
                    'image_id': image_id,
                    'category_id': ids[record['category_id']],
                    'segmentation': run_lengths(segment_map == record['id']),
                }
                for record in records
            ]
        if 'pred_sem_seg' in self:
            found = self.to_numpy()
            return [
                {
                    'image_id': image_id,
                    'category_id': ids[label],
                    'segmentation': run_lengths(found['label_map'] == label),
                }
                for label in found['labels']
            ]
        return list(detections(self.pred_instances.cpu(), image_id, ids))

    def to_supervision(self) -> Detections:
        """Return supervision's Detections, with `class_name` in its data.

        Label maps become one mask for each class, panoptic maps one for each segment.

        Raises:
            ImportError: supervision is not installed.
        """
        try:
            from supervision import Detections
        except ImportError as error:
            raise ImportError('to_supervision() needs supervision: pip install supervision') from (
                error
            )
        found = self.to_numpy()
        labels, names = found['labels'].astype(int), np.array(self.class_names, dtype=str)
        if 'bboxes' in found:
            boxes, masks, scores = found['bboxes'], found.get('masks'), found['scores']
        else:
            masks, scores = self._masks(found), None
            boxes = np.array([_around(mask) for mask in masks], np.float32).reshape(-1, 4)
        return Detections(
            xyxy=boxes, mask=masks, confidence=scores, class_id=labels, data={'class_name': names}
        )

    def draw(self, image: Any = None, score_thr: float = 0.3) -> ImageArray:
        """Draw the predictions into an image.

        Args:
            image: A path, an array in BGR or a PIL image; by default the file that was predicted.
            score_thr: Detections with lower scores are not drawn.

        Returns:
            An array (H, W, 3) of uint8 in the order BGR, as OpenCV writes it.

        Raises:
            ValueError: An array was predicted, which is not kept: it must be given.
            FileNotFoundError: The file is missing.
        """
        check_share('score_thr', score_thr)
        image = self.metainfo.get('img_path') if image is None else image
        if image is None:
            raise ValueError('the image was given as an array: call draw(image)')
        return self.context.drawer(self.context.read(image), self, score_thr)

    def _segments(self) -> tuple[Any, list[dict[str, Any]]]:
        """Return the panoptic map's segment ids (H, W) and their records, by label."""
        panoptic = self.pred_panoptic_seg.sem_seg[0].cpu().numpy()
        return segments(panoptic, range(len(self.classes)), self.context.things)

    def _masks(self, found: Mapping[str, Any]) -> Any:
        """Return a mask (K, H, W) for each class of a label map, or segment of a panoptic map."""
        if 'label_map' in found:
            return found['label_map'] == found['labels'][:, None, None]
        numbers = np.arange(1, len(found['labels']) + 1)
        return found['segment_map'] == numbers[:, None, None]


class DetPrediction(Prediction, DetDataSample):
    """mmdet's data sample with `to_numpy()`, `to_coco()`, `to_supervision()` and `draw()`."""


class SegPrediction(Prediction, SegDataSample):
    """mmseg's data sample with `to_numpy()`, `to_coco()`, `to_supervision()` and `draw()`."""


def with_context(prediction: Any, context: Context | None) -> Any:
    """Attach a context to a prediction; mmengine would store other attributes as data."""
    object.__setattr__(prediction, '_context', context)
    return prediction


def as_prediction(sample: Any, context: Context, score_thr: float | None = None) -> Any:
    """Convert a model's data sample on the CPU.

    Args:
        sample: A DetDataSample or SegDataSample.
        context: The model's.
        score_thr: Detections with lower scores are dropped.
    """
    kind = SegPrediction if isinstance(sample, SegDataSample) else DetPrediction
    prediction = kind(metainfo=sample.metainfo)
    prediction.set_data(dict(sample.items()))
    if score_thr is not None and 'pred_instances' in prediction:
        instances = prediction.pred_instances
        prediction.pred_instances = instances[instances.scores >= score_thr]
    return with_context(prediction, context)


def _around(mask: Any) -> list[float]:
    """Return the box x1, y1, x2, y2 around a mask (H, W) that is not empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
