"""Data sets and transforms: the user's folder, the embedded demo, checks before a training."""

from effnet_dense.data.coco.check import CocoReport, CocoSplit, check_coco
from effnet_dense.data.coco.config import set_num_classes
from effnet_dense.data.coco.source import CocoSource, find_coco
from effnet_dense.data.demo.dataset import make_demo
from effnet_dense.data.label_maps.check import LabelReport, check_labels
from effnet_dense.data.label_maps.decode import LoadLabelMap, decode_label_map
from effnet_dense.data.label_maps.file import LabelClasses, LabelSplit
from effnet_dense.data.label_maps.heads import set_segmentation_classes
from effnet_dense.data.label_maps.source import LabelSource, find_labels
from effnet_dense.data.missing import check_data_files, missing_data_message
from effnet_dense.data.own_data import use_data
from effnet_dense.data.seeding.loaders import seed_draws
from effnet_dense.data.transforms.albumentations import Albumentations
from effnet_dense.data.transforms.loading import LoadImageFromFile
from effnet_dense.data.transforms.policy import Policy

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
