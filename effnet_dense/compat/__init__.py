"""Substitutes for modules that mmdet and mmseg import and an installation may lack.

`mmcv_ops` replaces mmcv's compiled operators, `panopticapi` COCO's package of that name; `finder`
makes them importable where the originals are not installed.
"""

from effnet_dense.compat.finder import SubstituteFinder, install

__all__ = ['SubstituteFinder', 'install']
