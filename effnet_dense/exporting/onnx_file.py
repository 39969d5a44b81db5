"""Write a network, its decoding and its suppression as one ONNX model.

Shapes: N images of H × W pixels, K candidates, M results of an image.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import onnx
import onnx.compose
import torch
from torch import Tensor, nn

from effnet_dense.exporting.suppression import CANDIDATES, IR_VERSION, OPSET, suppression
from effnet_dense.runtimes.inputs import SIZES


class Parts(NamedTuple):
    """A model in two parts, of which only the first is ever quantised.

    Attributes:
        network: Images → raw outputs, or all that the model does.
        tail: Raw outputs, and `SIZES` → results; None if there is nothing more.
    """

    network: onnx.ModelProto
    tail: onnx.ModelProto | None = None

    def joined(self) -> onnx.ModelProto:
        """Return one model of both."""
        if self.tail is None:
            return self.network
        names = [value.name for value in self.network.graph.output]
        return _join(self.network, self.tail, names, 'network_')


def to_onnx(
    module: nn.Module,
    inputs: Sequence[Tensor],
    names: Sequence[str],
    outputs: Sequence[str],
    dynamic_batch: bool = True,
) -> onnx.ModelProto:
    """Trace a module by torch.export and convert it.

    Args:
        module: In eval mode.
        inputs: Examples, batch first; with `dynamic_batch` of at least two images, since
            torch.export takes sizes of 0 and 1 for constants.
        names: Of the inputs.
        outputs: Names of the outputs.
        dynamic_batch: Any number of images.

    Raises:
        ImportError: onnxscript is not installed.
        ValueError: The module cannot be traced; the message has torch.export's reason.
    """
    batch = torch.export.Dim('batch', min=1, max=4096)
    shapes = tuple({0: batch} if dynamic_batch else None for _ in inputs)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')
            program = torch.export.export(module, tuple(inputs), dynamic_shapes=shapes)
            converted: Any = torch.onnx.export(
                program,
                input_names=list(names),
                output_names=list(outputs),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except ImportError:  # onnxscript, by which torch.onnx converts
        raise
    except Exception as error:  # whatever a traced module raises
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(f'{type(module).__name__} cannot be exported: {reason:.300}') from error
    model: onnx.ModelProto = converted.model_proto
    model.ir_version = IR_VERSION
    return model


def detection_tail(
    names: Sequence[str],
    decoder: nn.Module,
    nms: dict[str, Any] | None,
    most: int,
    raw: Sequence[Tensor],
    dynamic_batch: bool,
) -> onnx.ModelProto:
    """Build the graph of decoding and, unless `nms` is None, suppression.

    Args:
        names: Of the network's outputs, those of `DetectionNetwork`.
        decoder: A `Decoder`.
        nms: mmdet's config, or None: candidates are the output.
        most: M.
        raw: Examples of the network's outputs.
        dynamic_batch: Any number of images.
    """
    sizes = torch.full((raw[0].shape[0], 2), 64.0)
    arguments = [*raw[:2], sizes, *raw[2:]]
    given = [*names[:2], SIZES, *names[2:]]
    found = ('boxes', 'scores', 'labels') if nms is None else CANDIDATES
    decoding = to_onnx(decoder.eval(), arguments, given, found, dynamic_batch)
    if nms is None:
        return decoding
    candidates = decoding.graph.output[1].type.tensor_type.shape.dim[1].dim_value
    return _join(decoding, suppression(nms, candidates, most), found, 'decode_')


def _join(
    first: onnx.ModelProto, second: onnx.ModelProto, shared: Sequence[str], prefix: str
) -> onnx.ModelProto:
    """Connect outputs of the first model with inputs of the second of the same names.

    The first one's values get a prefix. Not the second one's: `onnx.compose.add_prefix` does not
    reach into the body of a Loop.
    """
    inputs = [value.name for value in first.graph.input]
    first = onnx.compose.add_prefix(first, prefix)
    merged = onnx.compose.merge_models(first, second, io_map=[(prefix + n, n) for n in shared])
    for name in inputs:
        _rename(merged.graph, prefix + name, name)
    return merged


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Rename an input of a graph."""
    for value in graph.input:
        if value.name == old:
            value.name = new
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == old:
                node.input[index] = new
