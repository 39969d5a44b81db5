"""Predict on images, folders and videos with a trained model."""

from effnet_dense.inference.images import as_bgr, read_image
from effnet_dense.inference.infer import infer
from effnet_dense.inference.predictor import Predictor

__all__ = ['Predictor', 'as_bgr', 'infer', 'read_image']
