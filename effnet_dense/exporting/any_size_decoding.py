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

LEVEL = """
    rows_{n} = Div (height, stride_y_{n})
    columns_{n} = Div (width, stride_x_{n})
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
"""
"""The first cell's priors, (priors of a cell, D), moved to the cells of all rows and columns."""

WHOLE = """
<ir_version: {version}, opset_import: ["" : {opset}]>
priors (float[N, C, height, width] images) => (float[N, P, {numbers}] priors)
<{constants}>
{{
    shape = Shape (images)
    number = Gather (shape, axis_n)
    height = Gather (shape, axis_y)
    width = Gather (shape, axis_x)
    {levels}
    joined = Concat <axis = 0> ({names})
    each = Concat <axis = 0> (number, one_one)
    priors = Expand (joined, each)
}}
"""


class AnySizeDecoder(nn.Module):
    """Decode the best candidates of images of any size; see `Decoder`.

    As many candidates of each level as `nms_pre` allows are taken at every size; where a level has
    fewer, the others have score 0.

    Args:
        head: See `Decoder`.
        multiple: Of the images' sides, in pixels.

    Raises:
        ValueError: The config does not limit the candidates.
    """

    level_of: Tensor

    def __init__(self, head: Any, multiple: int) -> None:
        super().__init__()
        self.decoder = Decoder(head, (multiple, multiple))
        self.before = self.decoder.before
        if self.before == 2**31:
            raise ValueError('a detector for every size needs test_cfg.nms_pre, got none')
        numbers = torch.arange(len(self.decoder.levels)).repeat_interleave(self.before)
        self.register_buffer('level_of', numbers)

    def forward(
        self,
        logits: Tensor,
        deltas: Tensor,
        sizes: Tensor,
        priors: Tensor,
        centerness: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decode; `priors` are (N, P, D), the rest as `Decoder.forward` has it."""
        decoder = self.decoder
        scores, index = self._best(logits)
        anchor = torch.div(index, decoder.classes, rounding_mode='floor')
        labels = index - anchor * decoder.classes
        if decoder.proposes:
            labels = labels + self.level_of
        further = () if centerness is None else (take(centerness, anchor),)
        chosen = take(priors, anchor), take(deltas, anchor)
        return decoder.decoded(scores, labels, *chosen, sizes, *further)

    def _best(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """See `Decoder`; the priors of a level are as many as at the smallest size, times area."""
        classes = self.decoder.classes
        area = logits.shape[1] // sum(self.decoder.levels)
        scores, positions, start = [], [], 0
        for smallest in self.decoder.levels:
            level = logits[:, start : start + smallest * area].flatten(1)
            missing = max(0, self.before - smallest * classes)
            if missing:
                level = F.pad(level, (missing, 0), value=float('-inf'))
            best, index = level.topk(self.before)
            scores.append(best.sigmoid())
            positions.append((index - missing).clamp(min=0) + start * classes)
            start += smallest * area
        return torch.cat(scores, 1), torch.cat(positions, 1)


def priors_model(generator: Any) -> onnx.ModelProto:
    """Build the graph that computes priors: images (N, C, H, W) → priors (N, P, D).

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
        constants += [f'int64 stride_x_{n} = {{{stride[0]}}}, int64 stride_y_{n} = {{{stride[1]}}}']
        constants += [_declared(f'right_{n}', right[0].round())]
        constants += [_declared(f'down_{n}', down[0].round())]
        constants += [_declared(f'base_{n}', cells[0, 0])]
    text = WHOLE.format(
        version=IR_VERSION,
        opset=OPSET,
        numbers=numbers,
        constants=', '.join(constants),
        levels=''.join(LEVEL.format(n=n) for n in range(len(strides))),
        names=', '.join(f'level_{n}' for n in range(len(strides))),
    )
    model = onnx.parser.parse_model(text)
    onnx.checker.check_model(model, full_check=True)
    return model


def _declared(name: str, values: Tensor) -> str:
    shape = ', '.join(map(str, values.shape))
    return f'float[{shape}] {name} = {{{", ".join(map(repr, values.flatten().tolist()))}}}'
