"""Metrics, visualizers and drawing functions; importing this registers the metrics."""

from effnet_dense.evaluation.confusion import ConfusionMatrix
from effnet_dense.evaluation.panoptic import CocoPanopticMetric

__all__ = ['CocoPanopticMetric', 'ConfusionMatrix']
