"""Data sets and transforms: the user's folder, the embedded demo, checks before a training."""

from effnet_dense.data.albumentations import Albumentations
from effnet_dense.data.coco_check import CocoReport, CocoSplit, check_coco
from effnet_dense.data.demo import make_demo
from effnet_dense.data.label_check import LabelReport, check_labels
from effnet_dense.data.label_file import LabelClasses, LabelSplit
from effnet_dense.data.label_heads import set_segmentation_classes
from effnet_dense.data.label_map import LoadLabelMap, decode_label_map
from effnet_dense.data.label_source import LabelSource, find_labels
from effnet_dense.data.missing import check_data_files, missing_data_message
from effnet_dense.data.own_data import use_data
from effnet_dense.data.policy import Policy
from effnet_dense.data.rewrite import set_num_classes
from effnet_dense.data.seeded import seed_draws
from effnet_dense.data.sources import CocoSource, find_coco
from effnet_dense.data.transforms import LoadImageFromFile

__all__ = [
    'Albumentations',
    'CocoReport',
    'CocoSource',
    'CocoSplit',
    'LabelClasses',
    'LabelReport',
    'LabelSource',
    'LabelSplit',
    'LoadImageFromFile',
    'LoadLabelMap',
    'Policy',
    'check_coco',
    'check_data_files',
    'check_labels',
    'decode_label_map',
    'find_coco',
    'find_labels',
    'make_demo',
    'missing_data_message',
    'seed_draws',
    'set_num_classes',
    'set_segmentation_classes',
    'use_data',
]
