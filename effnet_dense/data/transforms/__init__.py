"""Transforms for pipelines of mmdet and mmseg: loading, Albumentations, augmentation policies."""

from effnet_dense.data.transforms.albumentations import Albumentations
from effnet_dense.data.transforms.augmix import AugMix
from effnet_dense.data.transforms.corruption import Corrupt
from effnet_dense.data.transforms.loading import BadImageError, LoadImageFromFile
from effnet_dense.data.transforms.policy import Policy

__all__ = ['Albumentations', 'AugMix', 'BadImageError', 'Corrupt', 'LoadImageFromFile', 'Policy']
