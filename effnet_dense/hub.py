"""Build models by name with pretrained weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from effnet_dense.models import EfficientNetClassifier
from effnet_dense.models.activations import Config
from effnet_dense.models.layers import DEFAULT_NORM
from effnet_dense.weights import load_weights


def create_classifier(
    arch: str | Mapping[str, Any],
    weights: str | Mapping[str, Tensor] | None = None,
    num_classes: int = 1000,
    padding: str = 'same',
    norm_cfg: Config = DEFAULT_NORM,
) -> EfficientNetClassifier:
    """Build a classifier and load weights from any source that `load_weights` accepts.

    Args:
        arch: As in `EfficientNet`.
        weights: A source such as 'timm://tf_efficientnet_b0', a state dict, or None for random
            weights.
        num_classes: Number of logits.
        padding: 'same' or 'symmetric', as the weights require.
        norm_cfg: The normalisation layer, with the eps that the weights require.

    Returns:
        A model in eval mode: normalised images (N, 3, H, W) → logits (N, num_classes). For a
        named source `effnet_dense.weights.source_info(weights)` returns the mean and standard
        deviation that the weights require.

    Raises:
        ValueError, FileNotFoundError, ImportError, ConnectionError: See `load_weights`.
    """
    model = EfficientNetClassifier(arch, num_classes, padding, norm_cfg)
    if weights is not None:
        load_weights(model, weights)
    return model.eval()
