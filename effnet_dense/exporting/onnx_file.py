"""Write modules as ONNX models, and keep the part that may be quantised apart from the rest."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import onnx
import torch
from torch import Tensor, nn

from effnet_dense.exporting.attention import name_pooling
from effnet_dense.exporting.chain import chain
from effnet_dense.exporting.suppression import IR_VERSION, OPSET


class Parts(NamedTuple):
    """A model in two parts, of which only the first is ever quantised.

    Attributes:
        network: Images → raw outputs, or all that the model does.
        tail: Raw outputs, and `SIZES` → results; None if there is nothing more.
    """

    network: onnx.ModelProto
    tail: onnx.ModelProto | None = None

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs: the tail's, and those of the network that it does not take."""
        raw = [value.name for value in self.network.graph.output]
        if self.tail is None:
            return raw
        taken = {value.name for value in self.tail.graph.input}
        return [v.name for v in self.tail.graph.output] + [n for n in raw if n not in taken]

    @property
    def details(self) -> dict[str, Any]:
        """Further fields of the metadata: none."""
        return {}

    def joined(self) -> onnx.ModelProto:
        """Return one model of both."""
        if self.tail is None:
            return self.network
        return chain([self.network, self.tail], self.outputs)


def to_onnx(
    module: nn.Module,
    inputs: Sequence[Tensor | list[Tensor]],
    names: Sequence[str],
    outputs: Sequence[str],
    dynamic_batch: bool = True,
) -> onnx.ModelProto:
    """Trace a module by torch.export and convert it.

    Args:
        module: In eval mode.
        inputs: Examples of the arguments, batch first; with `dynamic_batch` of at least two images,
            since torch.export takes sizes of 0 and 1 for constants.
        names: Of the tensors among the inputs.
        outputs: Names of the outputs.
        dynamic_batch: Any number of images.

    Raises:
        ImportError: onnxscript is not installed.
        ValueError: The module cannot be traced; the message has torch.export's reason.
    """
    batch = torch.export.Dim('batch', min=1, max=4096)
    shape: dict[int, Any] = {0: batch} if dynamic_batch else {}
    shapes = [[shape] * len(x) if isinstance(x, list) else shape for x in inputs]
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter('ignore')
            program = torch.export.export(module, tuple(inputs), dynamic_shapes=tuple(shapes))
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
        if dynamic_batch and '(batch)' in reason:
            reason = 'its operations need a fixed number of images (try --batch 1)'
        raise ValueError(f'{type(module).__name__} cannot be exported: {reason:.300}') from error
    model: onnx.ModelProto = converted.model_proto
    model.ir_version = IR_VERSION
    name_pooling(model)
    if dynamic_batch:
        _name_batch(model.graph)
    return model


def _name_batch(graph: onnx.GraphProto) -> None:
    """Call the inputs' first axis N wherever it is, which torch.export names by a number."""
    batch = {value.type.tensor_type.shape.dim[0].dim_param for value in graph.input}
    for value in (*graph.input, *graph.value_info, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in batch:
                dim.dim_param = 'N'
