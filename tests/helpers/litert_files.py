"""LiteRT's files of a few operators, written without the converter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from effnet_dense.exporting.litert_packing import with_metadata
from tests.helpers.exported_files import DETECTOR, METADATA

BOXES = np.array([[0, 0, 80, 30], [2, 0, 80, 30], [30, 10, 60, 40]], np.float32)
"""Of three priors; the second one overlaps the first."""
OFFSETS = np.array([[2, 0.1, -4], [1.2, -4, -4], [-4, 3, 0.6]], np.float32)
"""Of the priors' logits."""
DENSE = replace(
    DETECTOR,
    size=[64, 64],
    batch=1,
    post='dense',
    layout='NHWC',
    levels=[3],
    outputs={'boxes': 'of all priors', 'logits': 'of the classes'},
    nms=dict(score_thr=0.3, nms_pre=4, max_per_img=5, nms=dict(type='nms', iou_threshold=0.5)),
)
"""Of a detector with three priors, whose logits are the mean of each channel and an offset."""


class Graph:
    """A file in the making: tensors are numbered in the order in which they are added."""

    def __init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []

    def tensor(self, name: str, shape: Sequence[int], values: Any = None) -> int:
        """Add a tensor of float32, or a constant of its values' type; return its number."""
        tensor = self.schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), 0
        types = self.schema.TensorType
        integers = values is not None and values.dtype == np.int32
        tensor.type = types.INT32 if integers else types.FLOAT32
        if values is not None:
            buffer = self.schema.BufferT()
            buffer.data = list(values.tobytes())
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values: Any) -> int:
        """Add a constant."""
        return self.tensor(f'constant{len(self.graph.tensors)}', values.shape, values)

    def apply(self, kind: str, inputs: Sequence[int], name: str, shape: Sequence[int]) -> int:
        """Add an operator, such as 'ADD', and its result; return the result's number."""
        code, operator = self.schema.OperatorCodeT(), self.schema.OperatorT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = code.builtinCode, 1
        options = f'{"Reducer" if kind == "MEAN" else kind.title()}Options'
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
        operator.builtinOptions = getattr(self.schema, f'{options}T')()
        operator.opcodeIndex = len(self.model.operatorCodes)
        self.model.operatorCodes.append(code)
        result = self.tensor(name, shape)
        operator.inputs, operator.outputs = list(inputs), [result]
        self.graph.operators.append(operator)
        return result

    def content(self, given: int, found: dict[str, int]) -> bytes:
        """Return the file: the number of its images, and those of its outputs by name."""
        from ai_edge_litert.tools import flatbuffer_utils

        self.graph.inputs, self.graph.outputs = [given], list(found.values())
        self.model.subgraphs = [self.graph]
        signature = self.schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = 'serving_default', 0
        signature.inputs = [self._named('images', given)]
        signature.outputs = [self._named(*item) for item in found.items()]
        self.model.signatureDefs = [signature]
        return bytes(flatbuffer_utils.convert_object_to_bytearray(self.model))

    def _named(self, name: str, number: int) -> Any:
        entry = self.schema.TensorMapT()
        entry.name, entry.tensorIndex = name, number
        return entry


def identity(path: Path, **changes: Any) -> Path:
    """Write a file whose logits are its normalised images (1, 32, 64, 3)."""
    graph = Graph()
    shape = (1, 32, 64, 3)
    images = graph.tensor('x', shape)
    logits = graph.apply('MUL', [images, graph.constant(np.ones(1, np.float32))], 'y', shape)
    metadata = replace(METADATA, batch=1, layout='NHWC', **changes)
    content = graph.content(images, {'logits': logits})
    path.write_bytes(with_metadata(content, metadata.to_json()))
    return path


def three_priors(path: Path, **changes: Any) -> Path:
    """Write a file of `DENSE`."""
    graph = Graph()
    images = graph.tensor('x', (1, 64, 64, 3))
    axes = graph.constant(np.array([1, 2], np.int32))
    mean = graph.apply('MEAN', [images, axes], 'mean', (1, 3))
    logits = graph.apply('ADD', [mean, graph.constant(OFFSETS[None])], 'logits', (1, 3, 3))
    none = graph.apply('MUL', [mean, graph.constant(np.zeros((1, 3), np.float32))], 'z', (1, 3))
    shape = graph.constant(np.array([1, 3, 1], np.int32))
    column = graph.apply('RESHAPE', [none, shape], 'column', (1, 3, 1))
    boxes = graph.apply('ADD', [column, graph.constant(BOXES[None])], 'boxes', (1, 3, 4))
    content = graph.content(images, {'boxes': boxes, 'logits': logits})
    path.write_bytes(with_metadata(content, replace(DENSE, **changes).to_json()))
    return path
