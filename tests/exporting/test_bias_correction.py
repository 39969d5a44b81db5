"""Corrected biases undo the shift by rounding, in plain, grouped and depthwise convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from effnet_dense.exporting.bias_correction import channel_means, correct_biases
from effnet_dense.exporting.network_runner import runner

LARGEST = 7  # 4 bits, so that rounding costs much
TEXT = """
    <ir_version: 10, opset_import: ["" : 20]>
    g (float[N, 8, 6, 6] images) => (float[N, 8, 4, 4] found) <float[8] bias> {
        [layer] found = Conv <group = GROUPS> (images, weightsBIAS)
    }
"""


def images(count: int) -> list[NDArray[np.float32]]:
    random, means = np.random.default_rng(0), np.arange(8)[:, None, None]
    return [(means + random.standard_normal((1, 8, 6, 6))).astype(np.float32) for _ in range(count)]


def layer(groups: int, bias: bool) -> onnx.ModelProto:
    """Build a 3 × 3 convolution of 8 channels, the weights of one of which are zeros."""
    random = np.random.default_rng(1)
    weights = random.standard_normal((8, 8 // groups, 3, 3)).astype(np.float32)
    weights[3] = 0
    tensors = {'weights': weights}
    if bias:
        tensors['bias'] = random.standard_normal(8).astype(np.float32)
    text = TEXT.replace('GROUPS', str(groups)).replace('BIAS', ', bias' if bias else '')
    model = onnx.parser.parse_model(text.replace(' <float[8] bias>', ''))
    model.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in tensors.items())
    return model


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Round the weights to a scale per output channel."""
    tensor = next(each for each in model.graph.initializer if each.name == 'weights')
    weights = numpy_helper.to_array(tensor)
    scales = np.maximum(np.abs(weights).max((1, 2, 3), keepdims=True), 1e-9) / LARGEST
    tensor.CopyFrom(numpy_helper.from_array(np.round(weights / scales) * scales, 'weights'))
    return model


def means_of(model: onnx.ModelProto, given: list[NDArray[np.float32]]) -> NDArray[Any]:
    run = runner(model)
    return np.mean([run(image)[0] for image in given], (0, 1, 3, 4))


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('groups', [1, 2, 8])
def test_means_of_the_outputs_return(groups: int, bias: bool) -> None:
    network, seen = layer(groups, bias), images(32)
    corrected = correct_biases(network, channel_means(network, seen), (), LARGEST)
    expected = means_of(network, seen)
    before = np.abs(means_of(rounded(network), seen) - expected)
    after = np.abs(means_of(rounded(corrected), seen) - expected)
    assert before.max() > 0.5
    assert after.max() < 0.05 * before.max()
    assert after[3] < 1e-6  # zeros


def test_layers_that_are_not_rounded_keep_their_biases() -> None:
    network = layer(1, True)
    means = channel_means(network, images(2))
    assert correct_biases(network, means, ['layer'], LARGEST) == network
    assert correct_biases(network, means, ['another'], LARGEST) != network
    np.testing.assert_allclose(means['images'], np.arange(8), atol=0.5)
