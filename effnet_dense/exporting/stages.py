"""A detector as a chain of ONNX models: traced modules, and suppression between them.

Shapes: N images, K candidates, M results of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from effnet_dense.exporting.chain import chain, renamed
from effnet_dense.exporting.onnx_file import Parts, to_onnx
from effnet_dense.exporting.suppression import CANDIDATES, KEPT, suppression
from effnet_dense.runtimes.inputs import IMAGES, SIZES


class Stages:
    """Models that are executed one after the other, and example values of what they return.

    Args:
        images: Examples, (N, C, H, W).
        any_batch: Whether the models take any number of images.
    """

    def __init__(self, images: Tensor, any_batch: bool) -> None:
        sizes = torch.full((len(images), 2), 64.0)
        self.values: dict[str, Tensor] = {IMAGES: images, SIZES: sizes}
        self.models: list[onnx.ModelProto] = []
        self._any_batch = any_batch

    def trace(
        self, module: nn.Module, inputs: Sequence[str | list[str]], outputs: Sequence[str]
    ) -> None:
        """Append a module.

        Args:
            module: Its arguments, of which some may be lists, and results are tensors, batch first.
            inputs: Names of the arguments: images, sizes, or outputs of the modules before.
            outputs: Names of the results; further ones are left out, if it has fewer.

        Raises:
            ValueError: It cannot be traced.
        """
        given = [
            self.values[name] if isinstance(name, str) else [self.values[each] for each in name]
            for name in inputs
        ]
        names = [each for name in inputs for each in ([name] if isinstance(name, str) else name)]
        module = module.eval()
        with torch.no_grad():
            found = module(*given)
        found = (found,) if isinstance(found, Tensor) else tuple(found)
        outputs = outputs[: len(found)]
        self.models.append(to_onnx(module, given, names, outputs, self._any_batch))
        self.values.update(zip(outputs, found, strict=True))

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
        self.values[prefix + 'boxes'] = torch.zeros(number, most, 4)
        self.values[prefix + 'scores'] = torch.zeros(number, most)
        for name in ('labels', 'places'):
            self.values[prefix + name] = torch.zeros(number, most, dtype=torch.int64)
        return most

    def parts(self, outputs: Sequence[str]) -> Parts:
        """Return the first model, and the others as one with the given outputs."""
        network, *others = self.models
        return Parts(network, chain(others, outputs) if others else None)
