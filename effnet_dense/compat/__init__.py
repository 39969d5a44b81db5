"""Substitutes for what mmdet and mmseg need and an installation may lack.

`mmcv_ops` stands in for mmcv's compiled operators, `panopticapi` for COCO's package of that name;
`finder` makes them importable where the originals are not installed.
"""

from effnet_dense.compat.finder import SubstituteFinder, install

__all__ = ['SubstituteFinder', 'install']
