"""Apply the settings of a model: backbone, first weights, frozen layers, size of the images."""

from __future__ import annotations

from mmengine.config import Config

from effnet_dense.engine.settings.backbone import set_backbone
from effnet_dense.engine.settings.freeze import set_freeze
from effnet_dense.engine.settings.from_detector import check_one_start, set_from_detector
from effnet_dense.engine.settings.image_size import set_image_size
from effnet_dense.engine.settings.initial_weights import set_initial_weights
from effnet_dense.settings import Settings


def set_model(config: Config, settings: Settings) -> None:
    """Apply backbone, weights, frozen layers and image size, in this order.

    Args:
        config: Changed in place.
        settings: What to set.

    Raises:
        ValueError: A setting does not fit the config or another one.
        FileNotFoundError, ImportError, ConnectionError: Weights are missing.
    """
    check_one_start(settings.weights, settings.from_detector)
    if settings.backbone is not None:
        set_backbone(config, settings.backbone, settings.weights)
    if settings.weights is not None:
        set_initial_weights(config, settings.weights)
    if settings.from_detector is not None:
        set_from_detector(config, settings.from_detector)
    if settings.freeze is not None:
        set_freeze(config, settings.freeze)
    if settings.image_size is not None:
        set_image_size(config, settings.image_size)
