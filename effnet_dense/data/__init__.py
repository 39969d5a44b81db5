"""Data sets and transforms: the user's folder, the embedded demo, checks before a training."""

from effnet_dense.data.coco_check import CocoReport, CocoSplit, check_coco
from effnet_dense.data.demo import make_demo
from effnet_dense.data.missing import check_data_files, missing_data_message
from effnet_dense.data.rewrite import set_num_classes, use_data
from effnet_dense.data.sources import CocoSource, find_coco
from effnet_dense.data.transforms import LoadImageFromFile

__all__ = [
    'CocoReport',
    'CocoSource',
    'CocoSplit',
    'LoadImageFromFile',
    'check_coco',
    'check_data_files',
    'find_coco',
    'make_demo',
    'missing_data_message',
    'set_num_classes',
    'use_data',
]
