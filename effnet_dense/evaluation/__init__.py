"""Metrics, visualizers and drawing functions; importing this registers them."""

from effnet_dense.evaluation.confusion import ConfusionMatrix
from effnet_dense.evaluation.fused_boxes import WBFTTAModel
from effnet_dense.evaluation.panoptic import CocoPanopticMetric

__all__ = ['CocoPanopticMetric', 'ConfusionMatrix', 'WBFTTAModel']
