"""Datasets in COCO's format: find, check, clean, and point mmdet configs at them."""

from effnet_dense.data.coco.annotation_file import CocoSplit
from effnet_dense.data.coco.check import CocoReport, check_coco
from effnet_dense.data.coco.clean import clean_coco
from effnet_dense.data.coco.config import use_coco
from effnet_dense.data.coco.folder import CocoSource, find_coco
from effnet_dense.data.coco.heads import has_stuff, set_num_classes
from effnet_dense.data.skipping import SkipBad

__all__ = [
    'CocoReport',
    'CocoSource',
    'CocoSplit',
    'SkipBad',
    'check_coco',
    'clean_coco',
    'find_coco',
    'has_stuff',
    'set_num_classes',
    'use_coco',
]
