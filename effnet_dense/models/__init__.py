"""Backbone and classifier; importing this registers them."""

from effnet_dense.models.classifier import EfficientNetClassifier, create_classifier
from effnet_dense.models.efficientnet import EfficientNet

__all__ = ['EfficientNet', 'EfficientNetClassifier', 'create_classifier']
