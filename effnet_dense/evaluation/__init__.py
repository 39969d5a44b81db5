"""Metrics that mmdet's and mmseg's lack; importing this registers them."""

from effnet_dense.evaluation.confusion import ConfusionMatrix

__all__ = ['ConfusionMatrix']
