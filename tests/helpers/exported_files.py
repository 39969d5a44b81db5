"""Exported files without a network: a graph of one node that ONNX Runtime executes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnx.parser

from effnet_dense.runtimes.metadata import KEY, Metadata

METADATA = Metadata(
    task='semantic',
    model='EncoderDecoder',
    classes=['sky', 'road', 'car'],
    palette=[[0, 0, 255], [90, 90, 90], [255, 0, 0]],
    size=[32, 64],
    batch=None,
    mean=[100.0, 110.0, 120.0],
    std=[50.0, 60.0, 70.0],
    pad_value=0.0,
    channels='RGB',
    resize=None,
    post='raw',
    outputs={'logits': 'of the classes'},
    nms={},
    pipeline=[dict(type='LoadImageFromFile'), dict(type='PackSegInputs')],
    preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[100.0, 110.0, 120.0],
        std=[50.0, 60.0, 70.0],
        bgr_to_rgb=True,
        size=[32, 64],
        test_cfg=dict(size_divisor=32),
    ),
    checkpoint='x.pth',
    sha256='0' * 64,
    version='0.1.0',
)
"""Of a segmentor whose logits are the image itself: the brightest channel is the class."""


GRAPH = """
    <ir_version: 10, opset_import: ["" : 20]>
    g (float[N, 3, 32, 64] images) => (float[N, 3, 32, 64] logits)
    <float[1] one = {1}> { logits = Mul (images, one) }
"""


def identity(path: Path, **changes: Any) -> Path:
    """Write a file whose logits are its normalised images (N, 3, 32, 64)."""
    model = onnx.parser.parse_model(GRAPH)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, replace(METADATA, **changes).to_json()
    onnx.save(model, str(path))
    return path


def identity_of_any_size(path: Path) -> Path:
    """Write `identity` for images whose sides are multiples of 32."""
    model = onnx.parser.parse_model(GRAPH.replace('32, 64', 'height, width'))
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, replace(METADATA, size=None, multiple=32).to_json()
    onnx.save(model, str(path))
    return path


def identity_folder(path: Path, **changes: Any) -> Path:
    """Write the same for OpenVINO."""
    from effnet_dense.exporting.formats import write

    write(onnx.parser.parse_model(GRAPH), replace(METADATA, **changes), path, 'openvino')
    return path


DETECTOR = replace(
    METADATA,
    task='detection',
    model='RetinaNet',
    size=[64, 64],
    resize={'scale': [64, 64], 'keep_ratio': True},
    post='nms',
    outputs={'boxes': '', 'scores': '', 'labels': ''},
    pipeline=[
        dict(type='effnet_dense.LoadImageFromFile'),
        dict(type='Resize', scale=[64, 64], keep_ratio=True),
        dict(type='PackDetInputs', meta_keys=['ori_shape', 'img_shape', 'scale_factor']),
    ],
    preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[100.0, 110.0, 120.0],
        std=[50.0, 60.0, 70.0],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
)
"""Of a detector that finds one object, the image, with a score that depends on all pixels."""


def whole_image(path: Path, metadata: Metadata = DETECTOR) -> Path:
    """Write a file of `DETECTOR`, or of others of its kind."""
    height, width = metadata.size or ('height', 'width')
    text = """
        <ir_version: 10, opset_import: ["" : 20]>
        g (float[N, 3, HEIGHT, WIDTH] images, float[N, 2] sizes)
        => (float[N, 1, 4] boxes, float[N, 1] scores, int64[N, 1] labels)
        <int64[3] axes = {1, 2, 3}, int64[1] axis = {1}, int64[2] turned = {1, 0},
         int64 one = {1}> {
            left, middle, right = Split <axis = 1, num_outputs = 3> (images)
            difference = Sub (left, right)
            mean = ReduceMean <keepdims = 0> (difference, axes)
            column = Unsqueeze (mean, axis)
            scores = Sigmoid (column)
            zero = Cast <to = 7> (scores)
            labels = Add (zero, one)
            start = Sub (sizes, sizes)
            end = Gather <axis = 1> (sizes, turned)
            box = Concat <axis = 1> (start, end)
            boxes = Unsqueeze (box, axis)
        }
        """
    text = text.replace('HEIGHT', str(height)).replace('WIDTH', str(width))
    model = onnx.parser.parse_model(text)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, metadata.to_json()
    onnx.save(model, str(path))
    return path
