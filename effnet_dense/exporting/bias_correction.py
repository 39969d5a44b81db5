"""Correct the biases of convolutions for the rounding of their weights.

Rounding shifts the mean of each output channel by the weights' rounding errors times the means of
the input channels. The shift is subtracted from the bias (Nagel et al. 2019, section 4.2).

Shapes: N images of H × W pixels; convolutions of G groups, weights (O, I, kernel height, width).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from effnet_dense.exporting.network_runner import runner

Means = dict[str, NDArray[np.float64]]


def channel_means(network: onnx.ModelProto, images: Iterable[NDArray[np.float32]]) -> Means:
    """Return the mean of each input channel of a network's convolutions, by the input's name.

    Args:
        network: Images → outputs.
        images: (1, C, H, W) each.
    """
    observed = onnx.ModelProto()
    observed.CopyFrom(network)
    graph = observed.graph
    names = sorted({node.input[0] for node in graph.node if node.op_type == 'Conv'})
    del graph.output[:]
    graph.initializer.append(numpy_helper.from_array(np.array([0, 2, 3]), 'axes_of_means'))
    for name in names:
        mean = f'channel_means_of_{name}'
        inputs = [name, 'axes_of_means']
        graph.node.append(helper.make_node('ReduceMean', inputs, [mean], mean, keepdims=0))
        graph.output.append(helper.make_tensor_value_info(mean, TensorProto.FLOAT, None))
    run = runner(observed)
    found = [run(image) for image in images]
    return {
        name: np.mean(values, 0, np.float64)
        for name, values in zip(names, zip(*found, strict=True), strict=True)
    }


def correct_biases(
    network: onnx.ModelProto,
    means: Mapping[str, NDArray[np.float64]],
    kept: Collection[str],
    largest: int,
) -> onnx.ModelProto:
    """Copy a network with biases that are right once its weights are rounded.

    Weights have a scale per output channel.

    Args:
        network: In float32; its weights stay as they are.
        means: Of the input channels; see `channel_means`.
        kept: Names of layers whose weights are not rounded.
        largest: Largest magnitude of a rounded weight, such as 127.
    """
    corrected = onnx.ModelProto()
    corrected.CopyFrom(network)
    tensors = {tensor.name: tensor for tensor in network.graph.initializer}
    for number, node in enumerate(corrected.graph.node):
        if node.op_type != 'Conv' or node.name in kept or node.input[1] not in tensors:
            continue
        weights = numpy_helper.to_array(tensors[node.input[1]])
        shift = _shift(weights, means[node.input[0]], largest)
        if len(node.input) > 2:
            if node.input[2] not in tensors:
                continue
            shift = shift - numpy_helper.to_array(tensors[node.input[2]])
        name = f'corrected_bias_{number}'
        tensor = numpy_helper.from_array((-shift).astype(np.float32), name)
        corrected.graph.initializer.append(tensor)
        node.input[2:] = [name]
    return corrected


def _shift(
    weights: NDArray[np.float32], means: NDArray[np.float64], largest: int
) -> NDArray[np.float64]:
    """Return by how much rounding shifts the means of the outputs (O,)."""
    scales = np.abs(weights).max((1, 2, 3), keepdims=True) / np.float32(largest)
    scales[scales == 0] = 1
    errors = (np.round(weights / scales) * scales - weights).sum((2, 3), np.float64)  # (O, I)
    groups = len(means) // weights.shape[1]
    inputs = means.reshape(groups, weights.shape[1])
    return np.einsum('goi,gi->go', errors.reshape(groups, -1, weights.shape[1]), inputs).ravel()
