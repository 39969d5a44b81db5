"""Write what LiteRT's files (.tflite) consist of: metadata added, nothing twice, short names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, count
from typing import Any

import numpy as np

from effnet_dense.runtimes.litert_session import import_litert
from effnet_dense.runtimes.metadata import KEY

MODULE = re.compile(r'(?:[A-Za-z_]\w*\.)+_?[A-Za-z0-9]+(?:_(\w+))?')
"""How the converter names a module within another: its class with that of its file, and the
attribute, such as torch.nn.modules.conv.Conv2d_pointwise."""


def with_metadata(content: bytes, text: str) -> bytes:
    """Return a file's content with a text under `KEY`.

    Equal weights, such as those of convolutions that levels share, and equal zero points are
    written once, and values are named by attributes alone.
    """
    import_litert()
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    # The quantiser's files have weights after the model, which this takes into it.
    model = flatbuffer_utils.read_model_from_bytearray(content)
    for buffer in model.buffers:
        if isinstance(buffer.data, bytes):
            buffer.data = np.frombuffer(buffer.data, np.uint8)  # packed at once, not byte by byte
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    names = unique(short_name(tensor.name.decode()) for tensor in tensors)
    for tensor, name in zip(tensors, names, strict=True):
        tensor.name = name
    kept = [entry for entry in model.metadata or [] if entry.name != KEY.encode()]
    entry, buffer = schema.MetadataT(), schema.BufferT()
    buffer.data = np.frombuffer(text.encode(), np.uint8)
    entry.name, entry.buffer = KEY, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*kept, entry]
    return _packed(model)


def short_name(name: str) -> str:
    """Return a value's name with modules called by their attributes, without their classes."""
    parts = [MODULE.sub(lambda found: found[1] or '', part) for part in name.split('/')]
    return '/'.join(part for part in parts if part)


def unique(names: Iterable[str]) -> list[str]:
    """Return names of which each appears once, by numbers: AI Edge Quantizer takes no others."""
    found: dict[str, None] = {}
    for name in names:
        stem = name or 'value'
        candidates = chain([stem], (f'{stem}_{number}' for number in count(2)))
        found[next(each for each in candidates if each not in found)] = None
    return list(found)


def _packed(model: Any) -> bytes:
    """Return the content of a file of a model, in which equal arrays are one."""
    import flatbuffers

    class Builder(flatbuffers.Builder):
        def CreateNumpyVector(self, x: Any) -> int:
            key = x.dtype.str, x.tobytes()
            if key not in known:
                known[key] = super().CreateNumpyVector(x)
            return known[key]

    known: dict[tuple[str, bytes], int] = {}
    builder = Builder()
    builder.Finish(model.Pack(builder), file_identifier=b'TFL3')
    return bytes(builder.Output())
