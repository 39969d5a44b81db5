"""Repair what can be derived in the records that a reader found; the source is never changed."""

from effnet_dense.data.normalise.normalise import NormalPart, normalise
from effnet_dense.data.normalise.repairs import Repair

__all__ = ['NormalPart', 'Repair', 'normalise']
