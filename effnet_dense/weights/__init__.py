"""Load and export weights under other ecosystems' names, without executing code in files."""

from effnet_dense.weights.backbone_names import FORMATS, name_table
from effnet_dense.weights.download import fetch
from effnet_dense.weights.export import export_weights
from effnet_dense.weights.load import LoadReport, load_weights, state_dict_of
from effnet_dense.weights.normalisation import check_normalisation
from effnet_dense.weights.pretrained import Pretrained
from effnet_dense.weights.safe import safe_load
from effnet_dense.weights.sources import Source, SourceInfo, source_info

__all__ = [
    'FORMATS',
    'LoadReport',
    'Pretrained',
    'Source',
    'SourceInfo',
    'check_normalisation',
    'export_weights',
    'fetch',
    'load_weights',
    'name_table',
    'safe_load',
    'source_info',
    'state_dict_of',
]
