"""Store a network's weights in fewer bits; runtimes still compute in their own precision.

Each stored weight is converted back by an operator of its own, which runtimes fold away or run
once. Biases and small tensors stay, so that nothing but rounding of weights changes a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FEWEST = 64
"""Elements of a tensor that is worth an operator."""
LARGEST_HALF = float(np.finfo(np.float16).max)
STEPS = 127

Stored = tuple[list[TensorProto], onnx.NodeProto]


def in_float16(network: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy with weights in float16: half the size. Larger values than 65504 stay."""
    return _stored(network, _half)


def in_int8(network: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy with weights in int8, by one scale per output channel: a quarter."""
    return _stored(network, _channels)


STORED = {'fp16': in_float16, 'int8-weights': in_int8}
"""Precision → what stores weights so."""


def _stored(
    network: onnx.ModelProto, store: Callable[[str, NDArray[Any]], Stored | None]
) -> onnx.ModelProto:
    copied = onnx.ModelProto()
    copied.CopyFrom(network)
    graph, before = copied.graph, []
    for tensor in list(graph.initializer):
        # Not one value for each channel: scales and shifts of norms, (C, 1, 1).
        weight = tensor.data_type == TensorProto.FLOAT and sum(n > 1 for n in tensor.dims) > 1
        if not weight or np.prod(tensor.dims) < FEWEST:
            continue
        found = store(tensor.name, numpy_helper.to_array(tensor))
        if found is not None:
            graph.initializer.remove(tensor)
            graph.initializer.extend(found[0])
            before.append(found[1])
    nodes = [*before, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return copied


def _half(name: str, values: NDArray[Any]) -> Stored | None:
    if not np.abs(values).max() <= LARGEST_HALF:
        return None
    stored = numpy_helper.from_array(values.astype(np.float16), f'{name}_float16')
    return [stored], helper.make_node('Cast', [stored.name], [name], to=TensorProto.FLOAT)


def _channels(name: str, values: NDArray[Any]) -> Stored | None:
    rows = values.reshape(len(values), -1)
    largest = np.abs(rows).max(1)
    if not np.isfinite(largest).all():
        return None
    scale = np.where(largest > 0, largest / STEPS, 1).astype(np.float32)
    rounded = np.rint(rows / scale[:, None]).astype(np.int8).reshape(values.shape)
    given = [
        numpy_helper.from_array(rounded, f'{name}_int8'),
        numpy_helper.from_array(scale, f'{name}_scale'),
    ]
    names = [tensor.name for tensor in given]
    return given, helper.make_node('DequantizeLinear', names, [name], axis=0)
