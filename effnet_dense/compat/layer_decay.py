"""mmdet's and mmseg's layer-wise learning-rate decay knows the layers of `EfficientNet`.

Theirs (`LearningRateDecayOptimizerConstructor`, mmdet 3.3 and mmseg 1.2.2,
`engine/optimizers/layer_decay_optimizer_constructor.py`) knows ConvNeXt, and in mmseg BEiT and MAE.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from effnet_dense.compat.after_import import after_import

BACKBONE = 'effnet_dense.models.efficientnet'
PREFIX = 'backbone.layers.'


def serve_layer_decay() -> None:
    """Change the constructors as soon as they are imported."""
    for peer in ('mmdet', 'mmseg'):
        name = f'{peer}.engine.optimizers.layer_decay_optimizer_constructor'
        after_import(name, know_efficientnet)


def know_efficientnet(module: ModuleType) -> None:
    """Make a constructor group the parameters of models on `EfficientNet`; others as before.

    Args:
        module: mmdet's or mmseg's `layer_decay_optimizer_constructor`.
    """
    constructor = module.LearningRateDecayOptimizerConstructor
    original = constructor.add_params

    def add_params(self: Any, params: list[Any], module: Any, **kwargs: Any) -> None:
        if is_efficientnet(getattr(module, 'backbone', None)):
            params.extend(groups(module, self.base_lr, self.base_wd, self.paramwise_cfg))
        else:
            original(self, params, module, **kwargs)

    constructor.add_params = add_params


def is_efficientnet(backbone: Any) -> bool:
    """Whether a backbone is this package's, also by inheritance."""
    return any(kind.__module__ == BACKBONE for kind in type(backbone).__mro__)


def groups(model: Any, lr: float, weight_decay: float | None, settings: Any) -> list[Any]:
    """Group parameters by their distance from the heads, as the constructors do.

    Args:
        model: With a `backbone`.
        lr: The rate of the heads, and of the neck.
        weight_decay: That of tensors of several dimensions; biases and norms have none.
        settings: `paramwise_cfg` with decay_rate, num_layers and decay_type ('layer_wise', where a
            layer is a block, or 'stage_wise', where it is a stride). The stem has `num_layers` + 1
            times the decay, the last layer once; more or fewer layers share the steps.

    Raises:
        ValueError: An entry of `settings` is missing or unknown.
    """
    rate, steps = settings.get('decay_rate'), settings.get('num_layers')
    kind = settings.get('decay_type', 'layer_wise')
    if not rate or type(steps) is not int or steps < 1:
        raise ValueError(
            'expected paramwise_cfg=dict(decay_rate=…, num_layers=…) of a layer-wise decay, got '
            f'{dict(settings)}'
        )
    if 'layer_wise' not in kind and kind != 'stage_wise':
        raise ValueError(f"expected decay_type 'layer_wise' or 'stage_wise', got {kind!r}")
    blocks = [sum(n.isdigit() for n, _ in x.named_children()) for x in model.backbone.layers]
    found: dict[str, Any] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        flat = parameter.dim() == 1 or name.endswith('.bias')
        layer = layer_id(name, blocks, steps, kind == 'stage_wise')
        scale = rate ** (steps + 1 - layer)
        key = f'layer_{layer}_{"no_decay" if flat else "decay"}'
        group = found.setdefault(
            key,
            dict(
                weight_decay=0.0 if flat else weight_decay,
                params=[],
                param_names=[],
                lr_scale=scale,
                group_name=key,
                lr=scale * lr,
            ),
        )
        group['params'].append(parameter)
        group['param_names'].append(name)
    return [*found.values()]


def layer_id(name: str, blocks: Sequence[int], steps: int, stage_wise: bool) -> int:
    """Return a parameter's layer: 0 the stem, up to `steps` in the backbone, `steps` + 1 outside.

    Args:
        name: The parameter's, in the model.
        blocks: Number of blocks in each of the backbone's layers; 0 for the stem and the head.
        steps: Number of layers that are told apart.
        stage_wise: Count strides instead of blocks.
    """
    if not name.startswith(PREFIX):
        return steps + 1
    layer, block = name.removeprefix(PREFIX).split('.')[:2]
    index = int(layer)
    if index == 0:
        return 0
    if not blocks[index]:  # the 1×1 head
        return steps
    stages = sum(count > 0 for count in blocks)
    at, total = (
        (index, stages) if stage_wise else (sum(blocks[:index]) + int(block) + 1, sum(blocks))
    )
    return math.ceil(at * steps / total)
