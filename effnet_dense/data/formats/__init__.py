"""Folders as annotation tools export them → records in COCO's form."""

from effnet_dense.data.formats.found import FoundData, FoundSplit

__all__ = ['FoundData', 'FoundSplit']
