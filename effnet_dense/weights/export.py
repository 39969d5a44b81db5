"""Export our weights under another ecosystem's names."""

from __future__ import annotations

from torch import Tensor, nn

from effnet_dense.models import EfficientNet
from effnet_dense.weights.backbone_names import BACKBONE, name_table
from effnet_dense.weights.detector_names import detector_parts, detector_table
from effnet_dense.weights.detector_rows import BOX_KEYS, swap_xy


def export_weights(model: nn.Module, format: str) -> dict[str, Tensor]:
    """Rename a backbone's, classifier's or EfficientDet's weights for another ecosystem.

    Loading another ecosystem's weights and exporting them returns the original, key for key, for
    the layers that were built.

    Args:
        model: An `EfficientNet`, a classifier, or a detector or segmentor with one as `backbone`.
        format: 'timm', 'torchvision', 'efficientnet_pytorch', 'effdet' (including an
            EfficientDet's neck and head, for its own number of classes), 'mmpretrain' (a
            classifier's names), or 'mmdet', whose names are ours: the complete state dict,
            of any model.

    Returns:
        Their key → the tensor, which shares its memory with the model's. Only effdet's box
        predictor is a copy, with its rows in the order (y, x, h, w).

    Raises:
        ValueError: The format is unknown, has no such network, or has no name for a tensor.
    """
    if format == 'mmdet':
        return dict(model.state_dict())
    backbone = model if isinstance(model, EfficientNet) else getattr(model, 'backbone', None)
    if not isinstance(backbone, EfficientNet):
        raise ValueError(f'expected a model with an EfficientNet, got {type(model).__name__}')
    table = name_table(backbone.architecture, format)
    detector = detector_table(model, format)
    named = {*name_table(backbone.architecture, 'mmdet'), *detector}
    state = {BACKBONE + key: tensor for key, tensor in backbone.state_dict().items()}
    parts = tuple(f'{part}.' for part in detector_parts(model)) if detector else ()
    if model is not backbone:
        state.update(model.state_dict())
    unnamed = sorted(key for key in set(state) - named if key.startswith((BACKBONE, *parts)))
    if unnamed:  # for example of a norm other than batch norm
        raise ValueError(f'{format} has no name for {unnamed[0]!r}')
    for key in BOX_KEYS:
        if key in detector:
            state[key] = swap_xy(state[key])
    table |= detector
    return {theirs: state[ours] for ours, theirs in table.items() if ours in state}
