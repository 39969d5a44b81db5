"""The papers' tables and compound rules: a name or φ → the sizes of a network.

Plain Python, so that the tables can be read and searched without importing torch.
"""

from effnet_dense.scaling.efficientdet import (
    DETECTORS,
    Detector,
    compound_detector,
    detector,
)
from effnet_dense.scaling.efficientnet import (
    ALPHA,
    BASE_RESOLUTION,
    BASES,
    BETA,
    FAMILIES,
    GAMMA,
    Architecture,
    BlockRow,
    Scale,
    architecture,
    compound,
    round_filters,
    round_repeats,
    scale_base,
)

__all__ = [
    'ALPHA',
    'BASES',
    'BASE_RESOLUTION',
    'BETA',
    'DETECTORS',
    'FAMILIES',
    'GAMMA',
    'Architecture',
    'BlockRow',
    'Detector',
    'Scale',
    'architecture',
    'compound',
    'compound_detector',
    'detector',
    'round_filters',
    'round_repeats',
    'scale_base',
]
