"""Channel attention in operators that runtimes have, and keep in their own memory layouts.

Shapes: N images, C channels, H × W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import onnx
from torch import Tensor, nn

from effnet_dense.deployment.deploy import folded
from effnet_dense.models.layers import SqueezeExcite
from effnet_dense.utils.modules import runs_as

LARGEST_TILE = 8
"""Pixels of the sides of tiles that are averaged first."""
SMALLEST = 32 * 32
"""Pixels of a feature from which tiles make its mean more exact."""
BLOCK = 16
"""Channels that ONNX Runtime keeps together with AVX-512; with AVX2 half as many."""


def folded_for_export(model: Any) -> Any:
    """Copy a model, fold its norms, and let its channel attention average by one operator."""
    model = folded(model)
    for module in model.modules():
        se: Any = getattr(module, 'se', None)
        if isinstance(se, SqueezeExcite) and runs_as(se, SqueezeExcite):
            module.se = PooledSqueezeExcite(se)
    return model


class PooledSqueezeExcite(nn.Module):
    """`SqueezeExcite` whose means are not a sum and a quotient, as in training."""

    def __init__(self, se: SqueezeExcite) -> None:
        super().__init__()
        self.conv1, self.conv2 = se.conv1, se.conv2

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        return x * self.conv2(self.conv1(x.mean((2, 3), keepdim=True))).sigmoid()


def name_pooling(model: onnx.ModelProto) -> None:
    """Turn means over height and width into pooling, in place.

    ONNX Runtime runs pooling in the layout of convolutions, and converts features for
    `ReduceMean`. Its `GlobalAveragePool` adds pixels one by one: over 160 × 160 its error is 5e-6,
    that of a sum in parts 4e-7. Tiles are therefore averaged first. They lower OpenVINO's error
    from 8e-7 to 1e-7, which deep networks need to agree with PyTorch; neither runtime takes longer.
    Channels that do not fill blocks stay in ONNX's layout, where a pooling of tiles takes as long
    as a convolution, and pixels are added in parts anyway.
    """
    graph = model.graph
    axes = {each.name: each for each in graph.initializer}
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in graph.value_info}
    nodes: list[onnx.NodeProto] = []
    renamed = []
    for node in graph.node:
        shape = shapes.get(node.input[0], []) if node.op_type == 'ReduceMean' else []
        settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        over = axes.get(node.input[1]) if len(node.input) > 1 else None
        if len(shape) == 4 and over and settings.get('keepdims', 1) and _is_image(over):
            renamed.append(over)
            node.op_type = 'GlobalAveragePool'
            del node.attribute[:], node.input[1:]
            nodes += _tiles(node, *shape[1:])
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    for name in {each.name for each in renamed} - used:  # ONNX Runtime warns of unused ones
        graph.initializer.remove(axes[name])


def _is_image(axes: onnx.TensorProto) -> bool:
    """Whether axes of a feature are those of height and width."""
    return {int(axis) % 4 for axis in onnx.numpy_helper.to_array(axes)} == {2, 3}


def _tiles(
    mean: onnx.NodeProto, channels: int, height: int, width: int
) -> Iterator[onnx.NodeProto]:
    """Yield a pooling of tiles for `mean` to take, if they fill a large feature of whole blocks.

    Args:
        mean: Reads a feature (N, channels, height, width).
    """
    if channels % BLOCK or height * width < SMALLEST:
        return
    common = math.gcd(height, width)
    side = next((side for side in range(LARGEST_TILE, 1, -1) if common % side == 0), 1)
    if 1 < side < max(height, width):
        tiles = f'{mean.output[0]}_tiles'
        yield onnx.helper.make_node(
            'AveragePool',
            mean.input[:1],
            [tiles],
            tiles,
            kernel_shape=[side] * 2,
            strides=[side] * 2,
        )
        mean.input[0] = tiles
