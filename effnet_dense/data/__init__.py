"""Datasets and transforms: user folders, the generated demo, checks before training."""

from effnet_dense.data.coco import (
    CocoReport,
    CocoSource,
    CocoSplit,
    check_coco,
    find_coco,
    set_num_classes,
)
from effnet_dense.data.demo import make_demo
from effnet_dense.data.label_maps import (
    LabelClasses,
    LabelReport,
    LabelSource,
    LabelSplit,
    LoadLabelMap,
    check_labels,
    decode_label_map,
    find_labels,
    set_segmentation_classes,
)
from effnet_dense.data.missing_files import check_data_files, missing_data_message
from effnet_dense.data.seeding import seed_draws
from effnet_dense.data.transforms import Albumentations, AugMix, Corrupt, LoadImageFromFile, Policy
from effnet_dense.data.user_data import use_data

__all__ = [
    'Albumentations',
    'AugMix',
    'CocoReport',
    'CocoSource',
    'CocoSplit',
    'Corrupt',
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
