"""Datasets of images and label maps: find, check, decode, and point mmseg configs at them."""

from effnet_dense.data.label_maps.check import LabelReport, check_labels
from effnet_dense.data.label_maps.classes import LabelClasses
from effnet_dense.data.label_maps.config import use_label_maps
from effnet_dense.data.label_maps.decode import decode_label_map
from effnet_dense.data.label_maps.folder import LabelSource, find_labels
from effnet_dense.data.label_maps.heads import set_segmentation_classes
from effnet_dense.data.label_maps.loading import LoadLabelMap
from effnet_dense.data.label_maps.pairs import LabelSplit

__all__ = [
    'LabelClasses',
    'LabelReport',
    'LabelSource',
    'LabelSplit',
    'LoadLabelMap',
    'check_labels',
    'decode_label_map',
    'find_labels',
    'set_segmentation_classes',
    'use_label_maps',
]
