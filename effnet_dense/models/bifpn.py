"""BiFPN (EfficientDet, arXiv 1911.09070, section 3): weighted top-down and bottom-up paths.

Shapes: N images, H × W pixels; level i has stride 2^i. The features of a cell are numbered: its
inputs, finest first, then the outputs of its nodes, in the order of computation. For P3 … P7:

    P3  P4  P5  P6  P7
     0   1   2   3   4    the inputs
                 5        P6 from 3, 4
             6            P5 from 2, 5
         7                P4 from 1, 6
     8                    P3 from 0, 7
         9                P4 from 1, 7, 8
            10            P5 from 2, 6, 9
                11        P6 from 3, 5, 10
                    12    P7 from 4, 11
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from effnet_dense.models.acceleration import apply_lean
from effnet_dense.models.activations import Config, activation
from effnet_dense.models.layers import (
    DEFAULT_ACT,
    DEFAULT_NORM,
    PADDINGS,
    ConvNormAct,
    RunsLayers,
    SeparableConv,
    max_pool,
)
from effnet_dense.registry import MODELS
from effnet_dense.utils.modules import has_hooks, is_exactly

FUSIONS = ('fast', 'softmax', 'sum')
# Avoids a division by zero (google/automl `tf2/efficientdet_keras.py`).
EPSILON = 1e-4


@dataclass(frozen=True)
class Node:
    """A sum of features: `level` counts from the finest, `inputs` are feature numbers.

    The first input belongs to the level itself.
    """

    level: int
    inputs: tuple[int, ...]


def bifpn_nodes(num_levels: int) -> tuple[Node, ...]:
    """List the nodes of one cell, in the order of computation.

    Source: google/automl `tf2/fpn_configs.py: bifpn_config`.

    Raises:
        ValueError: `num_levels` is less than 2.
    """
    if num_levels < 2:
        raise ValueError(f'a BiFPN needs at least 2 levels, got {num_levels}')
    features = [[level] for level in range(num_levels)]  # by level, the newest last
    nodes: list[Node] = []

    def add(level: int, inputs: list[int]) -> None:
        features[level].append(num_levels + len(nodes))
        nodes.append(Node(level, tuple(inputs)))

    for level in reversed(range(num_levels - 1)):
        add(level, [level, features[level + 1][-1]])
    for level in range(1, num_levels):
        add(level, [*features[level], features[level - 1][-1]])
    return tuple(nodes)


def fusion_shares(weights: Sequence[Tensor], fusion: str) -> list[tuple[Tensor, ...]]:
    """Compute the factors of nodes' inputs (section 3.3).

    Nodes of as many inputs are computed together: a GPU is given 20 kernels a cell, not 100.

    Args:
        weights: (K_i,) of each node, one for each of its inputs.
        fusion: 'softmax', or 'fast': ReLU(w) ÷ (Σ ReLU(w) + 1e-4).

    Returns:
        K_i scalars for each node.
    """
    found: dict[int, tuple[Tensor, ...]] = {}
    counts = [own.shape[0] for own in weights]
    for count in dict.fromkeys(counts):
        nodes = [node for node, own in enumerate(counts) if own == count]
        rows = torch.stack([weights[node] for node in nodes])
        if fusion == 'softmax':
            rows = rows.softmax(1)
        else:
            rows = rows.relu()
            rows = rows / (rows.sum(1, keepdim=True) + EPSILON)
        shares = rows.flatten().unbind()
        for place, node in enumerate(nodes):
            found[node] = shares[count * place : count * (place + 1)]
    return [found[node] for node in range(len(weights))]


def resample(
    x: Tensor, size: tuple[int, int], padding: str, pool: Callable[..., Tensor] = max_pool
) -> Tensor:
    """Resize a neighbouring level's feature to this level's size.

    Args:
        x: (N, C, h, w), from the next finer or coarser level.
        size: (H, W) of this level.
        padding: Padding of the max-pooling, 'same' or 'symmetric'.
        pool: The max-pooling, called with x and the padding.

    Returns:
        (N, C, H, W): nearest-neighbour upsampling, or 3×3 max-pooling.
    """
    if x.shape[-2] > size[0] or x.shape[-1] > size[1]:
        x = pool(x, padding)
    # To the finer level's exact size, which is not twice the coarser one's if odd.
    return x if x.shape[-2:] == size else F.interpolate(x, size, mode='nearest')


def weighted_sum(shares: Sequence[Tensor], *features: Tensor) -> Tensor:
    """Add up features (N, C, H, W), each times its factor if there are factors."""
    if shares:
        features = tuple(x * share for x, share in zip(features, shares, strict=True))
    total = features[0]
    for x in features[1:]:
        total = total + x
    return total


class Fusion(nn.Module):
    """The weighted sum of features of neighbouring levels, at the first feature's size."""

    def __init__(self, inputs: int, fusion: str, padding: str) -> None:
        super().__init__()
        self.inputs = inputs
        self.fusion = fusion
        self.padding = padding
        self.edge_weights: nn.Parameter | None = None
        if fusion != 'sum':
            self.edge_weights = nn.Parameter(torch.ones(inputs))

    def forward(self, *tensors: Tensor) -> Tensor:
        """(N, C, H, W), neighbours of other sizes, then their factors → (N, C, H, W).

        The factors are scalars of `fusion_shares`, by default those of `edge_weights`.
        """
        features, shares = self.parts(tensors)
        height, width = features[0].shape[-2:]
        summands = [resample(x, (height, width), self.padding) for x in features]
        return weighted_sum(shares, *summands)

    def parts(self, tensors: Sequence[Tensor]) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Return features and factors; there are no factors if the sum is not weighted."""
        features, shares = tensors[: self.inputs], tensors[self.inputs :]
        if self.edge_weights is not None and not shares:
            (shares,) = fusion_shares([self.edge_weights], self.fusion)
        return features, shares


class BiFPNNode(RunsLayers, nn.Module):
    """Projections where channels differ → weighted sum → activation → separable convolution, norm.

    Args:
        in_channels: Channels of each input. Each one that differs from `out_channels` has a
            projection of its own, so only the first cell has any.
        conv: Arguments of the convolutions: bias, padding, norm_cfg.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        fusion: str,
        act_cfg: Config,
        conv: dict[str, Any],
    ) -> None:
        super().__init__()
        self.projections = nn.ModuleList(
            nn.Identity()
            if channels == out_channels
            else ConvNormAct(channels, out_channels, **conv)
            for channels in in_channels
        )
        self.fuse = Fusion(len(in_channels), fusion, conv['padding'])
        self.act = activation(act_cfg)
        self.conv = SeparableConv(out_channels, out_channels, **conv)

    def forward(self, *inputs: Tensor, shares: Sequence[Tensor] = ()) -> Tensor:
        """(N, in_channels[i], H_i, W_i) → (N, out_channels, H_0, W_0), the first input's size.

        `shares` are the factors of the inputs; by default the node computes them.
        """
        features = [
            x if type(project) is nn.Identity and not has_hooks(project) else project(x)
            for project, x in zip(self.projections, inputs, strict=True)
        ]
        return self.run_layers((self.fuse, self.act, self.conv), *features, *shares)


class BiFPNCell(nn.Module):
    """One top-down and one bottom-up path: L features → L features of `out_channels`."""

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        **node: Any,
    ) -> None:
        super().__init__()
        self.topology = bifpn_nodes(len(in_channels))
        channels = [*in_channels, *[out_channels] * len(self.topology)]
        self.nodes = nn.ModuleList(
            BiFPNNode([channels[i] for i in wiring.inputs], out_channels, **node)
            for wiring in self.topology
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """(N, C_l, H_l, W_l) → (N, out_channels, H_l, W_l) for each level, finest first."""
        numbered = list(features)
        newest = list(features)
        for wiring, node, shares in zip(self.topology, self.nodes, self._shares(), strict=True):
            given = dict(shares=shares) if shares else {}
            out = node(*(numbered[i] for i in wiring.inputs), **given)
            numbered.append(out)
            newest[wiring.level] = out
        return newest

    def _shares(self) -> Sequence[tuple[Tensor, ...]]:
        """Return the factors of each node's inputs; none where nodes compute them or have none.

        Nodes with hooks or methods of their own do: these may not expect factors, or set weights.
        """
        nodes: list[Any] = list(self.nodes)
        if not all(map(_takes_shares, nodes)):
            return [()] * len(nodes)
        return fusion_shares([node.fuse.edge_weights for node in nodes], nodes[0].fuse.fusion)


def _takes_shares(node: Any) -> bool:
    """Whether a node's sum is weighted, and the node and its sum run as defined here."""
    if type(node).forward is not BiFPNNode.forward or 'forward' in vars(node) or has_hooks(node):
        return False
    fuse = node.fuse
    return is_exactly(fuse, Fusion) and not has_hooks(fuse) and fuse.edge_weights is not None


@MODELS.register_module()
class BiFPN(BaseModule):
    """Weighted bidirectional feature pyramid: a neck for mmdet's detectors and mmseg's heads.

    Args:
        in_channels: Channels of each feature that the backbone returns, finest first.
        out_channels: Channels of every returned level.
        num_outs: Levels to return. Those beyond the inputs are max-pooled from the coarsest one,
            the first of them after a 1×1 convolution to `out_channels`.
        num_cells: Number of cells, each with its own weights.
        start_level: Index of the first input to use.
        fusion: 'fast' (normalised by the sum), 'softmax', or 'sum' (no weights).
        padding: 'same' (google/automl, effdet's `tf_` weights) or 'symmetric'.
        conv_bias: Give convolutions before a norm a bias, which has no effect but is part of
            google/automl's weights.
        norm_cfg: Config of all norms.
        act_cfg: Activation before a node's convolution; none follows it.
        lean: What training saves, as in `EfficientNet`.

    Raises:
        ValueError: An argument is out of its range; the message quotes what was expected.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int = 5,
        num_cells: int = 3,
        start_level: int = 0,
        fusion: str = 'fast',
        padding: str = 'same',
        conv_bias: bool = False,
        norm_cfg: Config = DEFAULT_NORM,
        act_cfg: Config = DEFAULT_ACT,
        lean: int = 1,
        init_cfg: Config | list[Config] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        _check_arguments(in_channels, num_outs, num_cells, start_level, fusion, padding)
        self.in_channels = tuple(in_channels)
        self.out_channels = out_channels
        self.num_outs = num_outs
        self.start_level = start_level
        self.fusion = fusion
        self.padding = padding
        self.conv_bias = conv_bias
        self.lean = lean

        conv: dict[str, Any] = dict(bias=conv_bias, padding=padding, norm_cfg=norm_cfg)
        levels = list(self.in_channels[start_level:])
        self.num_extra = num_outs - len(levels)
        self.extra: nn.Module = nn.Identity()
        if self.num_extra and levels[-1] != out_channels:
            self.extra = ConvNormAct(levels[-1], out_channels, **conv)
        levels += [out_channels] * self.num_extra
        self.cells = nn.ModuleList()
        for _ in range(num_cells):
            self.cells.append(
                BiFPNCell(levels, out_channels, fusion=fusion, act_cfg=act_cfg, conv=conv)
            )
            levels = [out_channels] * num_outs
        self.apply(_initialise)
        apply_lean(self, lean)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Fuse the levels.

        Args:
            inputs: Features (N, in_channels[l], H_l, W_l), each half the size of the previous one,
                rounded up.

        Returns:
            `num_outs` features (N, out_channels, H_l, W_l), finest first.

        Raises:
            ValueError: The numbers of features and of `in_channels` differ.
        """
        if len(inputs) != len(self.in_channels):
            raise ValueError(
                f'BiFPN expected {len(self.in_channels)} features (in_channels='
                f"{list(self.in_channels)}), got {len(inputs)}: compare the backbone's out_indices"
            )
        features = list(inputs[self.start_level :])
        for index in range(self.num_extra):
            last = self.extra(features[-1]) if index == 0 else features[-1]
            features.append(max_pool(last, self.padding))
        for cell in self.cells:
            features = cell(features)
        return tuple(features)


def _initialise(module: nn.Module) -> None:
    """Initialise a convolution uniformly, variance 2 ÷ (fan-in + fan-out), per group.

    Source: Keras' default, which google/automl keeps in BiFPN (`tf2/efficientdet_keras`).
    """
    if not isinstance(module, nn.Conv2d):
        return
    fan_in = module.weight[0].numel()
    fan_out = module.weight[:, 0].numel() // module.groups
    bound = math.sqrt(6 / (fan_in + fan_out))
    nn.init.uniform_(module.weight, -bound, bound)
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _check_arguments(
    in_channels: Sequence[int],
    num_outs: int,
    num_cells: int,
    start_level: int,
    fusion: str,
    padding: str,
) -> None:
    if not 0 <= start_level < len(in_channels):
        raise ValueError(
            f'start_level must be one of the {len(in_channels)} inputs, got {start_level}'
        )
    used = len(in_channels) - start_level
    if num_outs < max(used, 2):
        raise ValueError(
            f'num_outs must be at least {max(used, 2)} with {used} inputs, got {num_outs}: '
            "leave finer features out with start_level, or coarser ones in the backbone's "
            'out_indices'
        )
    if num_cells < 1:
        raise ValueError(f'num_cells must be at least 1, got {num_cells}')
    if fusion not in FUSIONS:
        raise ValueError(f'fusion must be one of {FUSIONS}, got {fusion!r}')
    if padding not in PADDINGS:
        raise ValueError(f'padding must be one of {PADDINGS}, got {padding!r}')
