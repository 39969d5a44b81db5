"""The EfficientNet backbone: image → features at the strides that a neck needs.

Shapes: N images, H × W pixels. Layer i in 1…5 has stride 2^i, layer 0 is the stem (stride 2) and
layer 6 the 1×1 head (stride 32), limited by `output_stride`. Layers and parameters have the names
of mmdet's EfficientNet, so that checkpoints and parameter-wise options fit either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from effnet_dense.models.acceleration import apply_lean
from effnet_dense.models.activations import Config
from effnet_dense.models.blocks import FusedMBConv, MBConv
from effnet_dense.models.layers import DEFAULT_NORM, PADDINGS, ConvNormAct
from effnet_dense.ops.checkpoint import checkpoint_block
from effnet_dense.registry import MODELS
from effnet_dense.scaling import Architecture, BlockRow, architecture

STRIDES = (2, 2, 4, 8, 16, 32, 32)
HEAD = 6  # index of the final 1×1 convolution, not of a detection head
OUTPUT_STRIDES = (8, 16, 32)

ACTIVATIONS: dict[str, Config] = {
    'silu': dict(type='SiLU', inplace=True),
    'relu6': dict(type='ReLU6', inplace=True),
    'relu': dict(type='ReLU', inplace=True),
}


@MODELS.register_module()
class EfficientNet(BaseModule):
    """Multi-scale features of any EfficientNet: B0–B8, L2, Lite, EdgeTPU, V2, and in between.

    Args:
        arch: A name of `effnet_dense.scaling.FAMILIES`, `dict(phi=1.5)`, or
            `dict(base='b0', width=1.3, depth=1.7)`.
        out_indices: Ascending layers to return: 0 the stem, i in 1…5 stride 2^i, 6 the 1×1 head.
            Layers after the last one are not built.
        padding: 'same' (TensorFlow's; timm `tf_*`, efficientnet-pytorch, mmdet) or 'symmetric'
            (torchvision, timm's others). It must match the weights.
        drop_path_rate: Block i = 0…N−1 has rate·i/N. 0 ≤ rate < 1.
        frozen_stages: Layers 0…n−1 keep weights and statistics; 0 freezes nothing, 7 everything.
        norm_cfg: The normalisation; its eps must match the weights.
        norm_eval: Keep the running statistics of every batch norm in training.
        act_cfg: The activation, by default the family's own.
        with_cp: Activation checkpointing: training saves only each block's input.
        lean: What training saves for the backward pass: 0 what autograd saves, 1 each
            convolution's output once, 2 the same without 1×1 expansions' outputs. The rest is
            recomputed, with the same results. See `effnet_dense.lean`.
        output_stride: The largest stride: 32, or 16 or 8 for segmentation. The k×k convolutions
            beyond it are dilated instead, with the same weights, as in timm and DeepLab (arXiv
            1706.05587, section 3.1).
        in_channels: Channels of the images. Weights for RGB are adapted to another number when they
            are loaded (see `effnet_dense.weights.input_channels`).
        conv_cfg: mmdet's spelling of the padding; `dict(type='Conv2dAdaptivePadding')` is 'same'.
        init_cfg: `dict(type='Pretrained', checkpoint=source)` with any source that
            `effnet_dense.load_weights` accepts.

    Attributes:
        out_channels: Channels of each returned feature.
        out_strides: Stride of each returned feature, in pixels of the image.

    Raises:
        ValueError: An argument is out of its range; the message quotes what was expected.
    """

    def __init__(
        self,
        arch: str | Mapping[str, Any] = 'b0',
        out_indices: Sequence[int] = (3, 4, 5),
        padding: str = 'same',
        drop_path_rate: float = 0.0,
        frozen_stages: int = 0,
        norm_cfg: Config = DEFAULT_NORM,
        norm_eval: bool = False,
        act_cfg: Config | None = None,
        with_cp: bool = False,
        lean: int = 1,
        output_stride: int = 32,
        conv_cfg: Config | None = None,
        init_cfg: Config | list[Config] | None = None,
        in_channels: int = 3,
    ) -> None:
        super().__init__(_use_own_pretrained(init_cfg))
        _check_arguments(
            out_indices, padding, drop_path_rate, frozen_stages, norm_cfg, act_cfg, conv_cfg
        )
        if output_stride not in OUTPUT_STRIDES:
            raise ValueError(
                f'output_stride must be one of {OUTPUT_STRIDES}, got {output_stride!r}'
            )
        if type(in_channels) is not int or in_channels < 1:
            raise ValueError(f'in_channels must be a number from 1, got {in_channels!r}')
        self.in_channels = in_channels
        self.architecture = architecture(arch)
        self.out_indices = tuple(out_indices)
        self.padding = padding
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        self.lean = lean
        self.output_stride = output_stride

        channels = self.architecture.channels()
        self.out_channels = tuple(channels[index] for index in self.out_indices)
        self.out_strides = tuple(min(STRIDES[index], output_stride) for index in self.out_indices)

        act_cfg = act_cfg or ACTIVATIONS[self.architecture.act]
        make_conv = partial(ConvNormAct, padding=padding, norm_cfg=norm_cfg)
        stem = make_conv(in_channels, channels[0], kernel=3, stride=2, act_cfg=act_cfg)
        self.layers = nn.ModuleList([stem])
        last = self.out_indices[-1]
        block: dict[str, Any] = dict(make_conv=make_conv, act_cfg=act_cfg)
        self.layers.extend(
            _block_layers(self.architecture, last, output_stride, drop_path_rate, block)
        )
        if last == HEAD:
            self.layers.append(make_conv(channels[5], channels[HEAD], act_cfg=act_cfg))

        self.apply(_initialise)
        self._freeze()
        apply_lean(self, lean)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            x: Normalised images (N, in_channels, H, W), of any size.

        Returns:
            A feature (N, out_channels[i], ⌈H ÷ out_strides[i]⌉, ⌈W ÷ out_strides[i]⌉) for each of
            `out_indices`.

        Raises:
            ValueError: `x` is not of that shape.
        """
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'expected images of shape (N, {self.in_channels}, H, W), got {tuple(x.shape)}'
            )
        features = []
        for index, layer in enumerate(self.layers):
            x = self._run(layer, x)
            if index in self.out_indices:
                features.append(x)
        return tuple(features)

    def _run(self, layer: nn.Module, x: Tensor) -> Tensor:
        if not (self.with_cp and self.training and isinstance(layer, nn.Sequential)):
            return layer(x)
        for block in layer:
            x = checkpoint_block(block, x)
        return x

    def train(self, mode: bool = True) -> EfficientNet:
        """Set the mode; frozen layers, and all batch norms under `norm_eval`, stay in eval mode."""
        super().train(mode)
        for layer in self.layers[: self.frozen_stages]:
            layer.eval()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze(self) -> None:
        for layer in self.layers[: self.frozen_stages]:
            layer.requires_grad_(False)
        self.train(self.training)


def _block_layers(
    arch: Architecture,
    last: int,
    output_stride: int,
    drop_path_rate: float,
    common: dict[str, Any],
) -> list[nn.Sequential]:
    """Build layers 1…`last`, each the sequence of blocks of all rows that share a stride.

    `common` holds the arguments that all blocks share.
    """
    total = sum(row.repeats for row in arch.rows)
    layers, in_channels, position = [], arch.stem, 0
    for index, rows in enumerate(arch.layers()[:last], 1):
        # A layer without its stride is dilated after its first block. That block, which would have
        # had the stride, still runs on the previous layer's grid.
        stride, previous = (min(STRIDES[i], output_stride) for i in (index, index - 1))
        first_block = dict(stride=stride // previous, dilation=STRIDES[index - 1] // previous)
        other_blocks = dict(stride=1, dilation=STRIDES[index] // stride)
        blocks: list[nn.Module] = []
        for row in rows:
            for repeat in range(row.repeats):
                grid = other_blocks if blocks else first_block
                drop_path = drop_path_rate * position / total
                options = dict(grid, drop_path=drop_path, **common)
                blocks.append(_block(in_channels, row, repeat == 0, options))
                in_channels = row.channels
                position += 1
        layers.append(nn.Sequential(*blocks))
    return layers


def _block(
    in_channels: int, row: BlockRow, first_of_row: bool, options: dict[str, Any]
) -> nn.Module:
    if row.block == 'mbconv':
        return MBConv(in_channels, row, **options)
    expand_from = row.expand_from if first_of_row else None
    return FusedMBConv(in_channels, row, expand_from=expand_from, **options)


def _initialise(module: nn.Module) -> None:
    """Initialise a convolution as google/automl does: normal, variance 2 ÷ fan-out.

    The fan-out of a depthwise convolution counts only its own kernel.
    """
    if not isinstance(module, nn.Conv2d):
        return
    fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
    nn.init.normal_(module.weight, std=math.sqrt(2.0 / fan_out))
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _use_own_pretrained(init_cfg: Config | list[Config] | None) -> Config | list[Config] | None:
    """Turn mmengine's 'Pretrained' into ours, which accepts other ecosystems' names.

    In a list it goes last, as in mmengine, so that no other initialiser overwrites the weights.
    """
    ours = 'effnet_dense.Pretrained'
    if isinstance(init_cfg, list | tuple):
        cfgs = [cfg for item in init_cfg if isinstance(cfg := _use_own_pretrained(item), dict)]
        return sorted(cfgs, key=lambda cfg: cfg['type'] == ours)
    if init_cfg is None:
        return None
    if not isinstance(init_cfg, Mapping) or 'type' not in init_cfg:
        raise ValueError(
            f'init_cfg must be a dict with a type, or a list of them; got {init_cfg!r}'
        )
    kind = init_cfg['type']
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    pretrained = name.rpartition('.')[2] in ('Pretrained', 'PretrainedInit')
    return {**init_cfg, 'type': ours} if pretrained else init_cfg


def _check_arguments(
    out_indices: Sequence[int],
    padding: str,
    drop_path_rate: float,
    frozen_stages: int,
    norm_cfg: Config | None,
    act_cfg: Config | None,
    conv_cfg: Config | None,
) -> None:
    for name, cfg in (('norm_cfg', norm_cfg), ('act_cfg', act_cfg), ('conv_cfg', conv_cfg)):
        if cfg is not None and (not isinstance(cfg, Mapping) or 'type' not in cfg):
            raise ValueError(f'{name} must be a dict with a type, got {cfg!r}')
    indices = list(out_indices) if isinstance(out_indices, Sequence) else [None]
    if not indices or indices != sorted({*indices} & {*range(HEAD + 1)}):
        raise ValueError(
            f'out_indices must be ascending layers from 0 (stem) to {HEAD} (head), '
            f'got {out_indices!r}'
        )
    if padding not in PADDINGS:
        raise ValueError(f'padding must be one of {PADDINGS}, got {padding!r}')
    if not isinstance(drop_path_rate, int | float) or not 0 <= drop_path_rate < 1:
        raise ValueError(f'drop_path_rate must be at least 0 and below 1, got {drop_path_rate!r}')
    if frozen_stages not in range(HEAD + 2):
        raise ValueError(
            f'frozen_stages must be a number of layers from 0 to {HEAD + 1}, got {frozen_stages!r}'
        )
    supported = conv_cfg is None or conv_cfg.get('type') == 'Conv2dAdaptivePadding'
    if not supported or (conv_cfg is not None and padding != 'same'):
        raise ValueError(
            f'conv_cfg={conv_cfg} with padding={padding!r}: leave conv_cfg out and write '
            "padding='same' (mmdet's Conv2dAdaptivePadding) or padding='symmetric'"
        )
