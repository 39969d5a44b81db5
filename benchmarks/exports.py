"""Compare exported files with PyTorch on real images: the same detections, the same label maps.

python -m benchmarks.exports --data DATA/coco128 --images 32
python -m benchmarks.exports --models effnet_lite0_retinanet_finetune --batches 1 --side 320

Needs no training: see `benchmarks.spread_weights`. Files in fp16 and int8-weights are compared with
PyTorch on weights that are rounded in the same way: that their graph is right, is shown here, what
rounding costs, is not. int8 is measured at its export: here is only whether it is refused.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from benchmarks.agreement import Agreement, agreement
from benchmarks.spread_weights import spread_weights
from effnet_dense.data.config_walk import is_segmentation
from effnet_dense.deployment.deploy import folded
from effnet_dense.engine.config import load_config
from effnet_dense.exporting import export
from effnet_dense.exporting.formats import OUT, check_out, maker
from effnet_dense.exporting.input_size import input_size
from effnet_dense.exporting.request import check_measurable
from effnet_dense.exporting.shared_norms import scale_and_shift
from effnet_dense.exporting.stored_weights import FEWEST, STEPS
from effnet_dense.exporting.tasks import detector_task
from effnet_dense.inference import Predictor
from effnet_dense.utils.console import print_table

MODELS_SHOWN = (
    'efficientdet_d0_coco',
    'efficientdet_d3_coco',
    'efficientdet_lite0_coco',
    'efficientdet_lite3x_coco',
    'effnet_b0_retinanet_coco',
    'effnet_lite0_retinanet_finetune',
    'effnet_b0_fcos_coco',
    'effnet_b0_rtmdet_coco',
    'effnet_b0_atss_coco',
    'effnet_b0_gfl_coco',
    'effnet_b0_rtmdet_ins_coco',
    'effnet_v2_s_faster_rcnn_coco',
    'effnet_lite0_mask_rcnn_finetune',
    'effnet_b3_panoptic_fpn_coco',
    'effnet_lite0_bifpn_camvid',
    'effnet_lite0_fpn_camvid',
    'effnet_b3_deeplabv3plus_ade20k',
)
BATCHES = (1, 3, 8)


def _half(values: Tensor) -> Tensor:
    return values.half().float()


def _channels(values: Tensor) -> Tensor:
    largest = values.flatten(1).abs().amax(1).reshape(-1, *[1] * (values.dim() - 1))
    scale = torch.where(largest > 0, largest / STEPS, 1.0)
    return (values / scale).round() * scale


ROUNDED: dict[str, Callable[[Tensor], Tensor]] = {'fp16': _half, 'int8-weights': _channels}
ANY_SIZE = 'any-size'
"""In the place of a precision: fp32, any height and width that are multiples of `MULTIPLE`."""
MULTIPLE = 128
"""Pixels: the coarsest stride of a BiFPN, and enough for detectors without one."""
PRECISIONS = ('fp32', ANY_SIZE, *ROUNDED, 'int8')


@dataclass
class Subject:
    """A model with its weights, and what PyTorch predicts.

    Attributes:
        config: The model's.
        size: (H, W) of its input.
        checkpoint: Its weights.
        images: Which it is given.
    """

    config: Config
    size: tuple[int, int]
    checkpoint: Path
    images: list[Any]
    _found: dict[tuple[str, int], list[Any]] = field(default_factory=dict)

    def given(self, precision: str) -> list[Any]:
        """Return the images: for files of any size, every second one is turned on its side.

        Segmentors take images as they are: theirs are enlarged to multiples.
        """
        if precision != ANY_SIZE:
            return self.images
        turned = [np.rot90(image, n % 2).copy() for n, image in enumerate(self.images)]
        return [_enlarged(i) for i in turned] if is_segmentation(self.config) else turned

    def predictions(self, precision: str, batch: int = 1) -> list[Any]:
        """Return PyTorch's predictions with weights of a precision."""
        if (precision, batch) not in self._found:
            config = copy.deepcopy(self.config)
            if precision == ANY_SIZE:  # PyTorch pads as the file does
                preprocessor = config.model.data_preprocessor
                if is_segmentation(config):
                    preprocessor.test_cfg = dict(size_divisor=MULTIPLE)
                else:
                    preprocessor.pad_size_divisor = MULTIPLE
            predictor = Predictor(config, self.checkpoint, 'cpu')
            if precision in ROUNDED:
                predictor.model = rounded(predictor.model, ROUNDED[precision])
            self._found[precision, batch] = predictor(self.given(precision), batch)
        return self._found[precision, batch]


def _enlarged(image: Any) -> Any:
    """Resize an image (H, W, 3) to the next multiples."""
    height, width = (-(-side // MULTIPLE) * MULTIPLE for side in image.shape[:2])
    return cv2.resize(image, (width, height))


def rounded(model: nn.Module, change: Callable[[Tensor], Tensor]) -> nn.Module:
    """Copy a model, fold its norms as an export does, and round the weights that it stores so."""
    copied = folded(scale_and_shift(model))
    for name, weight in copied.named_parameters():
        second_stage = name.startswith('roi_head')
        if weight.dim() > 1 and weight.numel() >= FEWEST and not second_stage:
            weight.data = change(weight.data)
    return copied


def subject(config: Config, images: Sequence[Any], folder: Path) -> Subject:
    """Give a model weights."""
    segments = is_segmentation(config)
    size = tuple(config.model.data_preprocessor.size) if segments else input_size(config)
    if segments:
        images = [cv2.resize(image, size[::-1]) for image in images]
        for step in config.test_dataloader.dataset.pipeline:
            if step.type == 'Resize':
                step.scale = size[::-1]
    else:  # PyTorch pads as the file does
        config.model.data_preprocessor.pad_size_divisor = max(size)
    checkpoint = spread_weights(config, images, folder / 'model.pth')
    return Subject(config, size, checkpoint, list(images))


def compare(
    model: Subject, form: str, precision: str, batches: Sequence[int], folder: Path
) -> Agreement:
    """Export a model and compare its predictions in batches of these sizes with PyTorch's."""
    path = folder / f'{precision}_{OUT[form]}'
    if precision == ANY_SIZE:
        given: dict[str, Any] = dict(multiple=MULTIPLE)
    else:
        given = dict(size=model.size, precision=precision)
    export(model.config, str(model.checkpoint), path, format=form, **given)
    exported, found = Predictor(path), Agreement(0, 0)
    for batch in batches:
        # Images of any size are padded to the largest of their batch.
        wanted = model.predictions(precision, batch if precision == ANY_SIZE else 1)
        pairs = zip(wanted, exported(model.given(precision), batch), strict=True)
        found = sum((agreement(*pair) for pair in pairs), found)
    return found


def shipped(name: str, side: int | None) -> Config:
    """Load a shipped config, for images of a side if it is given."""
    config = load_config(name)
    config.model.backbone.init_cfg = None
    if side is None:
        return config
    for step in config.test_dataloader.dataset.pipeline:
        if step.get('type') == 'Resize':
            step.scale = (side, side)
        if step.get('type') == 'Pad':
            step.size = (side, side)
    if is_segmentation(config):
        config.model.data_preprocessor.size = (side, side)
    else:
        config.model.data_preprocessor.update(batch_augments=None, pad_size_divisor=side)
    return config


def verdict(model: Subject, form: str, precision: str, batches: Sequence[int], folder: Path) -> str:
    """Return a cell of the table: what agrees, or why there is nothing to compare."""
    try:
        if precision == 'int8':
            check_out(folder / OUT[form], form, precision)
            check_measurable(*_kind(model, form))
            return 'measured at export'
        found = compare(model, form, precision, batches, folder)
    except ImportError as error:
        return f'absent: {error}'
    except ValueError as error:
        return f'refused: {error}'
    return f'{"validated" if found.validated else "differs"}: {found}'


def _kind(model: Subject, form: str) -> tuple[Any, str, str]:
    """Return the network, its task, and where its file ends."""
    network = Predictor(model.config, model.checkpoint, 'cpu').model
    task = 'semantic' if is_segmentation(model.config) else detector_task(network)
    return network, task, maker(form).POSTS.get(task, ('nms',))[0]


def rows(name: str, images: Sequence[Any], args: argparse.Namespace) -> Iterator[list[str]]:
    """Yield a model's rows, one for each format."""
    config = shipped(name, args.side)
    with tempfile.TemporaryDirectory() as scratch:
        model = subject(config, images, Path(scratch))
        for form in args.format:
            cells = [
                verdict(
                    model,
                    form,
                    precision,
                    batches_of(precision, config, args.batches),
                    Path(scratch),
                )
                for precision in args.precision
            ]
            yield [name, ' × '.join(map(str, model.size)), form, *cells]


def batches_of(precision: str, config: Config, batches: Sequence[int]) -> Sequence[int]:
    """Return batch sizes: one will do for weights of fewer bits, which are no other graph.

    Segmentors take no batches of images of different sizes.
    """
    several = precision == 'fp32' or (precision == ANY_SIZE and not is_segmentation(config))
    return batches if several else batches[:1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.exports', description=__doc__)
    add = parser.add_argument
    add('--data', type=Path, required=True, help='folder with images below it')
    add('--images', type=int, default=32)
    add('--models', nargs='+', default=MODELS_SHOWN)
    add('--format', nargs='+', choices=tuple(OUT), default=tuple(OUT))
    add('--precision', nargs='+', choices=PRECISIONS, default=PRECISIONS)
    add('--batches', nargs='+', type=int, default=BATCHES)
    add('--side', type=int, help='smaller images than those of the configs')
    args = parser.parse_args()
    paths = sorted(args.data.rglob('*.jpg'))[: args.images]
    images = [cv2.imread(str(path)) for path in paths]
    found = []
    for name in args.models:
        for row in rows(name, images, args):
            found.append(row)
            print(' | '.join(row), flush=True)
    heads = ['model', 'input', 'format', *args.precision]
    print_table('Exported files beside PyTorch', heads, found, 'lrl' + 'l' * len(args.precision))
    sys.exit(any(cell.startswith('differs') for row in found for cell in row))


if __name__ == '__main__':
    main()
