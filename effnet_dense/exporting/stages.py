"""A detector as a chain of ONNX models: traced modules, and suppression between them.

Shapes: N images, K candidates, M results of an image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from effnet_dense.exporting.any_size import CHECKED, Plan, any_size
from effnet_dense.exporting.chain import chain, renamed
from effnet_dense.exporting.onnx_file import Parts, to_onnx
from effnet_dense.exporting.raw_outputs import share_apart
from effnet_dense.exporting.suppression import CANDIDATES, KEPT, suppression
from effnet_dense.runtimes.inputs import IMAGES, SIZES
from effnet_dense.runtimes.onnx_session import import_onnxruntime

MOST_APART = 1e-3
"""Share of values that may differ from PyTorch's, such as scores beside a threshold."""


class Stages:
    """Models that are executed one after the other, and example values of what they return.

    Args:
        images: Examples, (N, C, H, W); their size does not matter with a plan.
        any_batch: Whether the models take any number of images.
        plan: The models take every height and width that are multiples; None: those of the
            examples.
    """

    def __init__(self, images: Tensor, any_batch: bool, plan: Plan | None = None) -> None:
        self.models: list[onnx.ModelProto] = []
        self.plan = plan
        self._any_batch = any_batch
        self._examples = [_values(images)]
        if plan is not None:
            noise = torch.Generator().manual_seed(0)
            sizes = [[n * plan.multiple for n in size] for size in (*plan.traced, CHECKED)]
            shapes = [(*images.shape[:2], *size) for size in sizes]
            self._examples = [_values(torch.randn(shape, generator=noise)) for shape in shapes]

    @property
    def values(self) -> Mapping[str, Tensor]:
        """Example values by name."""
        return self._examples[0]

    def trace(
        self, module: nn.Module, inputs: Sequence[str | list[str]], outputs: Sequence[str]
    ) -> None:
        """Append a module.

        Args:
            module: Its arguments, of which some may be lists, and results are tensors, batch first.
            inputs: Names of the arguments: images, sizes, or outputs of the modules before.
            outputs: Names of the results; further ones are left out, if it has fewer.

        Raises:
            ValueError: It cannot be traced, or not for every size.
        """
        names = [each for name in inputs for each in ([name] if isinstance(name, str) else name)]
        module = module.eval()
        arguments = []
        for values in self._examples:
            given = [
                values[name] if isinstance(name, str) else [values[each] for each in name]
                for name in inputs
            ]
            with torch.no_grad():
                found = module(*given)
            found = (found,) if isinstance(found, Tensor) else tuple(found)
            outputs = outputs[: len(found)]
            values.update(zip(outputs, found, strict=True))
            arguments.append(given)
        model = to_onnx(module, arguments[0], names, outputs, self._any_batch)
        self.models.append(model)
        if self.plan is not None:
            second = to_onnx(module, arguments[1], names, outputs, self._any_batch)
            any_size(model, second, self.plan)
            self._check(type(module).__name__)
            if len(self.models) == 1:
                for name, values in zip(outputs, found, strict=True):
                    self._examples[-1][name] = _distinct(values)

    def append(
        self, model: onnx.ModelProto, outputs: Sequence[str], examples: Sequence[Sequence[Tensor]]
    ) -> None:
        """Append a model, with its outputs at each of the examples' sizes."""
        self.models.append(model)
        for values, found in zip(self._examples, examples, strict=True):
            values.update(zip(outputs, found, strict=True))
        self._check(model.graph.name)

    def sides(self) -> list[tuple[int, int]]:
        """Return height and width of each size at which there are examples."""
        shapes = [values[IMAGES].shape for values in self._examples]
        return [(shape[2], shape[3]) for shape in shapes]

    def _check(self, name: str) -> None:
        """Compare the last model with PyTorch at a size at which it was not traced.

        Raises:
            ValueError: They differ.
        """
        model, values = self.models[-1], self._examples[-1]
        options = import_onnxruntime().SessionOptions()
        options.log_severity_level = 3
        session = import_onnxruntime().InferenceSession(model.SerializeToString(), options)
        given = {value.name: values[value.name].numpy() for value in model.graph.input}
        names = [value.name for value in model.graph.output]
        try:
            found = session.run(names, given)
        except Exception as error:  # whatever ONNX Runtime raises
            reason = str(error).strip().splitlines()[0]
            raise ValueError(f'{name} cannot be exported for every size: {reason:.300}') from error
        apart = share_apart(found, [np.asarray(values[each]) for each in names])
        if apart > MOST_APART:
            raise ValueError(
                f'{name} cannot be exported for every size: {apart:.2%} of its results differ from '
                "PyTorch's (export it with a fixed height and width)"
            )

    def suppress(self, nms: dict[str, Any], most: int, prefix: str = '') -> int:
        """Append the suppression of the candidates; return the number of results.

        Args:
            nms: mmdet's config.
            most: M.
            prefix: Of the names of the candidates and of the results.
        """
        boxes = self.values[prefix + CANDIDATES[0]]
        model = suppression(nms, boxes.shape[1], most)
        names = {name: prefix + name for name in (*CANDIDATES, *KEPT)}
        self.models.append(renamed(model, names))
        most = min(most, boxes.shape[1])
        number = len(boxes)
        for values in self._examples:
            values[prefix + 'boxes'] = torch.zeros(number, most, 4)
            values[prefix + 'scores'] = torch.zeros(number, most)
            for name in ('labels', 'places'):
                values[prefix + name] = torch.zeros(number, most, dtype=torch.int64)
        return most

    def parts(self, outputs: Sequence[str]) -> Parts:
        """Return the first model, and the others as one with the given outputs."""
        network, *others = self.models
        return Parts(network, chain(others, outputs) if others else None)


def _values(images: Tensor) -> dict[str, Tensor]:
    sizes = torch.tensor(images.shape[2:], dtype=torch.float32)
    return {IMAGES: images, SIZES: sizes.repeat(len(images), 1)}


def _distinct(values: Tensor) -> Tensor:
    """Replace values by as many different ones, whose order does not depend on the runtime."""
    count = values.numel()
    mixed = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return (mixed * (8 / count) - 4).to(values.dtype).view_as(values)
