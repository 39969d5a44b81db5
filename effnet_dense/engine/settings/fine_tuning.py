"""Rates and fixed statistics of a training that starts from a detector trained on COCO.

The recipes of configs train necks and heads from random weights. effdet's README trains COCO at a
rate of 0.09 and fine-tunes on VOC at 0.008.
"""

from __future__ import annotations

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.model_parts import backbone_owner
from effnet_dense.engine.settings.notes import note
from effnet_dense.engine.settings.rate import learning_rate, scale_rate
from effnet_dense.weights.coco_detectors import CocoDetector

TRAINED = 0.1
"""Factor of the rate for what comes trained; the class predictor keeps the config's rate."""
CLASS_LAYERS = {
    'EfficientDetHead': 'bbox_head.cls_predict',
    'EfficientDetSepBNHead': 'bbox_head.cls_header',
    'RetinaSepBNHead': 'bbox_head.retina_cls',
}
"""Head → its class predictor."""


def set_fine_tuning(config: Config, detector: CocoDetector) -> None:
    """Train what comes trained at a tenth of the rate, with the backbone's statistics fixed.

    Args:
        config: Changed in place: the rate, `paramwise_cfg`, the backbone's `norm_eval`.
        detector: What the training starts from.

    Raises:
        ValueError: The config has no optimizer or several.
    """
    owner = backbone_owner(config, '--from')
    owner.backbone.norm_eval = True
    rate = learning_rate(config, f'--from {detector.source}')
    scale_rate(config, TRAINED)
    layer = CLASS_LAYERS[type_name(owner.bbox_head)]
    wrapper = config.optim_wrapper
    paramwise = dict(wrapper.get('paramwise_cfg') or {})
    keys = {key: dict(value) for key, value in (paramwise.get('custom_keys') or {}).items()}
    for multiplied in keys.values():
        if 'lr_mult' in multiplied:
            multiplied['lr_mult'] = min(1.0, multiplied['lr_mult'] / TRAINED)
    keys[layer] = {**keys.get(layer, {}), 'lr_mult': 1 / TRAINED}
    wrapper.paramwise_cfg = {**paramwise, 'custom_keys': keys}
    note(
        f'--from: the learning rate is {rate * TRAINED:g} in place of {rate:g}, since the network '
        f'comes trained, and {rate:g} for {layer}; the statistics of the backbone’s norms are fixed'
    )
