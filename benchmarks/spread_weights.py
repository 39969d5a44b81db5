"""Weights without training whose predictions are well defined: no two scores are nearly equal.

Random weights saturate sigmoids: hundreds of scores of exactly 1.0, whose order, and with it what
NMS keeps, depends on the last bit. PyTorch in float64 then disagrees with PyTorch in float32 on as
many detections as an exported file does, and a comparison says nothing.

Shapes: N images, C channels of an output.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.inference import Predictor
from effnet_dense.models.blocks import FusedMBConv, MBConv

SPREAD = {
    'cls_predict.pointwise': (-4.0, 1.0),
    'reg_predict.pointwise': (0.0, 0.5),
    'retina_cls': (-4.0, 1.0),
    'retina_reg': (0.0, 0.5),
    'conv_cls': (-4.0, 1.0),
    'conv_reg': (4.0, 1.0),
    'conv_centerness': (0.0, 1.0),
    'rtm_cls': (-4.0, 1.0),
    'rtm_reg': (4.0, 1.0),
    'rtm_kernel': (0.0, 1.0),
    'rpn_cls': (-4.0, 1.0),
    'rpn_reg': (0.0, 0.5),
    'shared_fcs': (0.0, 1.0),
    'fc_cls': (0.0, 3.0),
    'fc_reg': (0.0, 1.0),
    'conv_logits': (0.0, 2.0),
    'conv_seg': (0.0, 2.0),
}
"""Last layer → mean and standard deviation that each of its channels gets on the images. Of some
million candidates with logits around -4 ± 1, the best hundred have scores between 0.5 and 0.9."""

SHORTCUT = 0.2
"""Factor of what blocks add to their shortcuts. With 1, rounding grows by each layer of random
weights: from 1e-6 to 3e-5 of the features' deviation in Lite0. Training begins with 0 in other
recipes (Goyal et al. 2017, arXiv:1706.02677)."""

BLOCKS = 16
"""B0's and Lite0's. The deeper a network, the more its images differ: SiLU halves what is near
zero, so that D3's logits deviated by 3.9 on one image, and by 0.04 on another of less contrast. The
norms of deeper detectors therefore get random biases, as trained ones have, and their last layers
`CALM` times the deviation, so that no image's scores saturate."""
CALM = 0.5


def spread_weights(config: Config, images: Sequence[Any], path: Path) -> Path:
    """Write a checkpoint of random weights with the statistics of the given images.

    Norms get the images' mean and variance; each channel of a last layer gets `SPREAD`.
    """
    init_default_scope(config.default_scope)
    torch.manual_seed(0)
    model: Any = MODELS.build(copy.deepcopy(config.model))
    _damp(model)
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, path)
    predictor = Predictor(config, path, 'cpu')
    model = predictor.model
    batch = model.data_preprocessor(pseudo_collate([predictor.prepare(i) for i in images]))
    with torch.no_grad():
        _measure_norms(model, batch)
        # Those of the second stage see other proposals once the first has its own scores.
        for _ in range(4 if hasattr(model, 'rpn_head') else 1):
            _spread(model, batch)
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, path)
    return path


def _damp(model: nn.Module) -> None:
    """Scale the last norm of each block that has a shortcut, and shift a deep detector's."""
    for block in _blocks(model):
        if block.has_shortcut:
            norms = [m for m in block.modules() if isinstance(m, _BatchNorm)]
            nn.init.constant_(norms[-1].weight, SHORTCUT)
    if _is_deep(model):
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                nn.init.normal_(module.bias)


def _blocks(model: nn.Module) -> list[Any]:
    return [m for m in model.modules() if isinstance(m, MBConv | FusedMBConv)]


def _is_deep(model: nn.Module) -> bool:
    """Whether a detector's images would differ too much; a second stage sees parts of images."""
    return len(_blocks(model)) > BLOCKS and hasattr(model, 'bbox_head')


def _measure_norms(model: nn.Module, batch: Any) -> None:
    """Give batch norms the mean and variance over the batch."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            module.momentum = None
            module.train()
    model(batch['inputs'], batch['data_samples'], mode='predict')
    model.eval()


def _spread(model: nn.Module, batch: Any) -> None:
    """Scale and shift the channels of the last layers."""
    with _outputs(model) as found:
        model(batch['inputs'], batch['data_samples'], mode='predict')
    for name, module in model.named_modules():
        if module in found:
            centre, width = next(value for key, value in SPREAD.items() if key in name)
            values = torch.cat([_by_channel(output) for output in found[module]], 1)
            width *= CALM if _is_deep(model) else 1
            _standardise(module, values.mean(1), values.std(1), centre, width)


def _standardise(layer: Any, mean: Tensor, std: Tensor, centre: float, width: float) -> None:
    """Give outputs, which now have `mean` (C,) and `std` (C,), another mean and deviation."""
    factor = width / std.clamp(min=1e-6)
    layer.weight *= factor.reshape(-1, *[1] * (layer.weight.dim() - 1))
    if layer.bias is not None:
        layer.bias.copy_((layer.bias - mean) * factor + centre)


def _by_channel(output: Tensor) -> Tensor:
    """(N, C, …) → (C, n)."""
    return output.transpose(0, 1).flatten(1)


@contextmanager
def _outputs(model: nn.Module) -> Iterator[dict[nn.Module, list[Tensor]]]:
    """Collect what the last layers return."""
    found: dict[nn.Module, list[Tensor]] = {}
    hooks = [
        module.register_forward_hook(
            lambda module, _, output: found.setdefault(module, []).append(output)
        )
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and any(key in name for key in SPREAD)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
