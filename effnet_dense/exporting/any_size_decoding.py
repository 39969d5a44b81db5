"""Decoding for images of any size: priors are computed from it, the candidates are as many.

Shapes: N images, P priors of an image over all levels, D numbers of a prior, C classes,
K candidates of an image.
"""

from __future__ import annotations

from typing import Any

import onnx
import onnx.parser
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effnet_dense.exporting.decoding import Decoder, take
from effnet_dense.exporting.suppression import IR_VERSION, OPSET
from effnet_dense.models.efficientdet_head import EfficientDetHead

LEVEL = """
    more_rows_{n} = Add (height, rest_y_{n})
    more_columns_{n} = Add (width, rest_x_{n})
    rows_{n} = Div (more_rows_{n}, stride_y_{n})
    columns_{n} = Div (more_columns_{n}, stride_x_{n})
    row_numbers_{n} = Range (zero, rows_{n}, one)
    column_numbers_{n} = Range (zero, columns_{n}, one)
    row_values_{n} = Cast <to = 1> (row_numbers_{n})
    column_values_{n} = Cast <to = 1> (column_numbers_{n})
    y_{n} = Unsqueeze (row_values_{n}, axes_y)
    x_{n} = Unsqueeze (column_values_{n}, axes_x)
    below_{n} = Mul (y_{n}, down_{n})
    beside_{n} = Mul (x_{n}, right_{n})
    shift_{n} = Add (below_{n}, beside_{n})
    grid_{n} = Add (shift_{n}, base_{n})
    level_{n} = Reshape (grid_{n}, flat)
    priors_{n} = Expand (level_{n}, each)
"""
"""The first cell's priors, (priors of a cell, D), moved to the cells of all rows and columns."""

WHOLE = """
<ir_version: {version}, opset_import: ["" : {opset}]>
priors (float[N, C, height, width] images) => ({outputs})
<{constants}>
{{
    shape = Shape (images)
    number = Gather (shape, axis_n)
    height = Gather (shape, axis_y)
    width = Gather (shape, axis_x)
    each = Concat <axis = 0> (number, one_one)
    {levels}
}}
"""


class AnySizeDecoder(nn.Module):
    """Decode the best candidates of images of any size; see `Decoder`.

    Unlike there, priors are given, and the levels' sizes with them. As many candidates of each
    level as `nms_pre` allows are taken at every size; where it has fewer, the others have score 0.

    Args:
        head: See `Decoder`.
        multiple: Of the images' sides, in pixels.

    Raises:
        ValueError: The config does not limit the candidates.
    """

    def __init__(self, head: Any, multiple: int) -> None:
        super().__init__()
        self.decoder = Decoder(head, (multiple, multiple))
        self.before = self.decoder.before
        self.joined = isinstance(head, EfficientDetHead)
        if self.before == 2**31:
            raise ValueError('a detector for every size needs test_cfg.nms_pre, got none')

    def forward(
        self,
        logits: Tensor,
        deltas: Tensor,
        sizes: Tensor,
        priors: list[Tensor],
        centerness: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode; `priors` are (N, P_l, D) for each level, the rest as in `Decoder.forward`."""
        if self.joined:
            priors = [torch.cat(priors, 1)]
        counts = [level.shape[1] for level in priors]
        whole = [values for values in (logits, deltas, centerness) if values is not None]
        levels = [values.split(counts, 1) for values in whole]
        found = zip(self.decoder.levels, priors, *levels, strict=True)
        chosen = zip(*[self._best(*level) for level in found], strict=True)
        scores, labels, anchors, deltas, *further = (torch.cat(part, 1) for part in chosen)
        return self.decoder.decoded(scores, labels, anchors, deltas, sizes, *further)

    def _best(
        self, smallest: int, priors: Tensor, logits: Tensor, *further: Tensor
    ) -> tuple[Tensor, ...]:
        """Return scores, labels, priors, deltas, and centerness of a level's best candidates.

        Args:
            smallest: Number of priors at the smallest size.
            priors, logits, further: Those of the level.
        """
        classes = self.decoder.classes
        values = logits.flatten(1)
        missing = max(0, self.before - smallest * classes)
        if missing:
            values = F.pad(values, (missing, 0), value=float('-inf'))
        best, index = values.topk(self.before)
        index = (index - missing).clamp(min=0)
        place = torch.div(index, classes, rounding_mode='floor')
        chosen = [take(each, place) for each in (priors, *further)]
        return best.sigmoid(), index - place * classes, *chosen


def priors_model(generator: Any) -> onnx.ModelProto:
    """Build the graph that computes each level's priors: images (N, C, H, W) → (N, P_l, D).

    Args:
        generator: mmdet's, whose priors are the same in every cell, but for a shift.
    """
    strides = generator.strides
    side = 2 * max(max(stride) for stride in strides)
    shapes = [(side // down, side // right) for right, down in strides]
    priors = generator.grid_priors(shapes, device='cpu')
    numbers = priors[0].shape[1]
    constants = [
        'int64 zero = {0}, int64 one = {1}, int64[2] one_one = {1, 1}',
        'int64[1] axis_n = {0}, int64 axis_y = {2}, int64 axis_x = {3}',
        'int64[3] axes_y = {1, 2, 3}, int64[3] axes_x = {0, 2, 3}',
        f'int64[2] flat = {{-1, {numbers}}}',
    ]
    for n, (stride, shape, level) in enumerate(zip(strides, shapes, priors, strict=True)):
        cells = level.reshape(*shape, -1, numbers)
        right, down = (cells[at] - cells[0, 0] for at in ((0, 1), (1, 0)))
        for axis, pixels in zip('xy', stride, strict=True):
            constants += [f'int64 stride_{axis}_{n} = {{{pixels}}}']
            constants += [f'int64 rest_{axis}_{n} = {{{pixels - 1}}}']
        constants += [_declared(f'right_{n}', right[0].round())]
        constants += [_declared(f'down_{n}', down[0].round())]
        constants += [_declared(f'base_{n}', cells[0, 0])]
    text = WHOLE.format(
        version=IR_VERSION,
        opset=OPSET,
        outputs=', '.join(f'float[N, P{n}, {numbers}] priors_{n}' for n in range(len(strides))),
        constants=', '.join(constants),
        levels=''.join(LEVEL.format(n=n) for n in range(len(strides))),
    )
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    return model


def _declared(name: str, values: Tensor) -> str:
    shape = ', '.join(map(str, values.shape))
    return f'float[{shape}] {name} = {{{", ".join(map(repr, values.flatten().tolist()))}}}'
