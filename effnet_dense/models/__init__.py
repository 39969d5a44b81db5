"""Backbone, necks, heads and losses; importing this module registers them."""

from effnet_dense.models.anchors import EfficientDetAnchorGenerator
from effnet_dense.models.assigner import ArgMaxAssigner, MaxIoUAssigner
from effnet_dense.models.bifpn import BiFPN
from effnet_dense.models.bifpn_seg_head import BiFPNSegHead
from effnet_dense.models.box_losses import GIoULoss, HuberLoss, L1Loss
from effnet_dense.models.classifier import EfficientNetClassifier
from effnet_dense.models.cross_entropy_loss import CrossEntropyLoss
from effnet_dense.models.data_preprocessor import DetDataPreprocessor, SegDataPreProcessor
from effnet_dense.models.dino import DINO
from effnet_dense.models.efficientdet_head import EfficientDetHead
from effnet_dense.models.efficientnet import EfficientNet
from effnet_dense.models.hybrid_encoder import HybridEncoder
from effnet_dense.models.jaccard_loss import JaccardLoss
from effnet_dense.models.losses import FocalLoss
from effnet_dense.models.retina_head import RetinaSepBNHead
from effnet_dense.models.rtdetr import RTDETR
from effnet_dense.models.varifocal_loss import VarifocalLoss

__all__ = [
    'DINO',
    'RTDETR',
    'ArgMaxAssigner',
    'BiFPN',
    'BiFPNSegHead',
    'CrossEntropyLoss',
    'DetDataPreprocessor',
    'EfficientDetAnchorGenerator',
    'EfficientDetHead',
    'EfficientNet',
    'EfficientNetClassifier',
    'FocalLoss',
    'GIoULoss',
    'HuberLoss',
    'HybridEncoder',
    'JaccardLoss',
    'L1Loss',
    'MaxIoUAssigner',
    'RetinaSepBNHead',
    'SegDataPreProcessor',
    'VarifocalLoss',
]
