"""Metrics that mmdet's and mmseg's lack; importing this registers them."""

from effnet_dense.evaluation.confusion import ConfusionMatrix
from effnet_dense.evaluation.panoptic import CocoPanopticMetric

__all__ = ['CocoPanopticMetric', 'ConfusionMatrix']
