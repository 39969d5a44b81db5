"""ONNX networks of a few convolutions, which are quantised in a moment, and data for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from effnet_dense.exporting.suppression import IR_VERSION, OPSET

SIDE = 16
COLOURS = np.array([[40, 60, 220], [60, 210, 50], [230, 50, 40]], np.uint8)
"""Of three classes, in BGR: red, green and blue, so that the brightest channel is the class."""


def convolutions(width: int = 16) -> onnx.ModelProto:
    """Build images (N, 3, 16, 16) → logits (N, 64, 4) by four convolutions.

    Args:
        width: Channels.
    """
    random = np.random.default_rng(0)
    shapes = {
        'stem': (width, 3, 3, 3),
        'depthwise': (width, 1, 3, 3),
        'pointwise': (width, width, 1, 1),
        'last': (4, width, 1, 1),
    }
    tensors, nodes, given = [], [], 'images'
    for name, shape in shapes.items():
        weight = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        bias = (0.1 * random.standard_normal(shape[0])).astype(np.float32)
        tensors += [numpy_helper.from_array(weight.astype(np.float32), f'{name}_weight')]
        tensors += [numpy_helper.from_array(bias, f'{name}_bias')]
        last = name == 'last'
        settings: dict[str, Any] = dict(kernel_shape=shape[2:], group=1)
        if shape[2] == 3:
            settings['pads'] = [1, 1, 1, 1]
        if name == 'stem':
            settings['strides'] = [2, 2]
        if name == 'depthwise':
            settings['group'] = width
        inputs = [given, f'{name}_weight', f'{name}_bias']
        nodes.append(helper.make_node('Conv', inputs, [f'{name}_sums'], name, **settings))
        given = f'{name}_sums'
        if not last:
            nodes.append(helper.make_node('Clip', [given, 'low', 'high'], [name], f'{name}_clip'))
            given = name
    nodes.append(helper.make_node('Transpose', [given], ['moved'], 'move', perm=[0, 2, 3, 1]))
    nodes.append(helper.make_node('Reshape', ['moved', 'shape'], ['logits'], 'flatten'))
    tensors += [
        numpy_helper.from_array(np.float32(0), 'low'),
        numpy_helper.from_array(np.float32(6), 'high'),
        numpy_helper.from_array(np.array([0, 64, 4]), 'shape'),
    ]
    return _model(nodes, tensors, ['N', 3, SIDE, SIDE], 'logits', ['N', 64, 4])


def brightest(height: int, width: int) -> onnx.ModelProto:
    """Build images (N, 3, H, W) → logits (N, 3, H, W): each channel's own value, doubled."""
    weight = np.eye(3, dtype=np.float32)[:, :, None, None] * 2
    tensors = [numpy_helper.from_array(weight, 'weight')]
    node = helper.make_node('Conv', ['images', 'weight'], ['logits'], 'double')
    shape = ['N', 3, height, width]
    return _model([node], tensors, shape, 'logits', shape)


def images(count: int) -> list[NDArray[np.float32]]:
    """Return normalised images (1, 3, 16, 16), brighter at the right."""
    random = np.random.default_rng(1)
    ramp = np.linspace(-1, 1, SIDE, dtype=np.float32)
    return [
        ramp + 0.3 * random.standard_normal((1, 3, SIDE, SIDE), np.float32) for _ in range(count)
    ]


def write_coloured(folder: Path, train: int = 4, val: int = 2) -> Path:
    """Write images (64 × 96) of coloured squares whose label maps are the brightest channel."""
    random = np.random.default_rng(0)
    for part, count in (('train', train), ('val', val)):
        for kind in ('images', 'labels'):
            (folder / kind / part).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            labels = np.kron(random.integers(0, 3, (4, 6)), np.ones((16, 16), int))
            labels[:2, :3] = np.arange(3)  # each class in each image
            name = f'{number}.png'
            cv2.imwrite(str(folder / 'images' / part / name), COLOURS[labels])
            cv2.imwrite(str(folder / 'labels' / part / name), labels.astype(np.uint8))
    table = json.dumps({'classes': ['red', 'green', 'blue']})
    (folder / 'classes.json').write_text(table, encoding='utf-8')
    return folder


def _model(
    nodes: list[Any], tensors: list[Any], given: list[Any], name: str, found: list[Any]
) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info('images', TensorProto.FLOAT, given)]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, found)]
    graph = helper.make_graph(nodes, 'network', inputs, outputs, tensors)
    imports = [helper.make_opsetid('', OPSET)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model
