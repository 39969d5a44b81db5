"""Compare exported files with PyTorch on COCO's images: the same detections, the same label maps.

python -m benchmarks.exports --data ../shared/data/coco128 --images 32
python -m benchmarks.exports --models effnet_lite0_retinanet_finetune --batches 1 --side 160

Weights are random, but norms have the statistics of the images, and the last layers are scaled so
that scores and boxes differ: no training is needed, and no detection is a matter of course.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.ops import box_iou

from effnet_dense.data.config_walk import is_segmentation
from effnet_dense.engine.config import load_config
from effnet_dense.exporting import export
from effnet_dense.exporting.input_size import input_size
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
    'effnet_b0_rtmdet_ins_coco',
    'effnet_v2_s_faster_rcnn_coco',
    'effnet_lite0_mask_rcnn_finetune',
    'effnet_b3_panoptic_fpn_coco',
    'effnet_lite0_bifpn_camvid',
    'effnet_lite0_fpn_camvid',
    'effnet_b3_deeplabv3plus_ade20k',
)
BATCHES = (1, 3, 8)
IOU, SCORE = 0.99, 1e-3
PIXELS = 1
"""By which masks may differ at any IoU: one pixel of a mask below 100 pixels is more than 1 %, and
a probability next to the threshold changes sides by rounding alone."""
SHARE = 0.999
"""Of detections, or pixels, that must agree."""
SPREAD = {
    'cls_predict.pointwise': 2.0,
    'reg_predict.pointwise': 0.5,
    'retina_cls': 2.0,
    'retina_reg': 0.5,
    'conv_cls': 2.0,
    'conv_reg': 1.0,
    'rtm_cls': 2.0,
    'rtm_reg': 3.0,
    'rtm_kernel': 1.0,
    'rpn_cls': 2.0,
    'rpn_reg': 0.5,
    'fc_cls': 3.0,
    'fc_reg': 1.0,
    'conv_logits': 2.0,
    'conv_seg': 2.0,
}
"""Standard deviations that the last layers' outputs get."""


@dataclass(frozen=True)
class Agreement:
    """How far a file agrees with PyTorch.

    Attributes:
        equal: Detections, or pixels, that agree.
        total: Of both.
    """

    equal: int
    total: int

    @property
    def share(self) -> float:
        """The share that agrees; 0 if there is nothing to compare."""
        return self.equal / self.total if self.total else 0.0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(self.equal + other.equal, self.total + other.total)


def spread_weights(config: Config, images: Sequence[Any], path: Path) -> Path:
    """Write a checkpoint of random weights whose outputs are spread on the given images."""
    init_default_scope(config.default_scope)
    torch.manual_seed(0)
    model: Any = MODELS.build(config.model)
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, path)
    predictor = Predictor(config, path, 'cpu')
    model = predictor.model
    batch = model.data_preprocessor(pseudo_collate([predictor.prepare(i) for i in images]))
    samples = batch['data_samples']
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.reset_running_stats()
            module.momentum = None
            module.train()
    with torch.no_grad():
        model(batch['inputs'], samples, mode='predict')
        model.eval()
        with _outputs(model) as found:
            model(batch['inputs'], samples, mode='predict')
        for module, outputs in found.items():
            layer: Any = module
            name = next(n for n, m in model.named_modules() if m is module)
            width = next(value for key, value in SPREAD.items() if key in name)
            layer.weight *= width / torch.cat([o.flatten() for o in outputs]).std()
            if layer.bias is not None and 'reg' not in name:
                layer.bias.zero_()
    torch.save({'meta': {}, 'state_dict': model.state_dict()}, path)
    return path


@contextmanager
def _outputs(model: nn.Module) -> Iterator[dict[nn.Module, list[Tensor]]]:
    """Collect what the last layers return."""
    found: dict[nn.Module, list[Tensor]] = {}
    hooks = [
        module.register_forward_hook(
            lambda module, _, output: found.setdefault(module, []).append(output)
        )
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and any(key in name for key in SPREAD)
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def agreement(one: Any, other: Any) -> Agreement:
    """Compare the predictions on an image.

    Detections agree if the other sample has one of the same label, with an IoU above `IOU` and a
    score within `SCORE`, and for masks an IoU above `IOU`, too, or at most `PIXELS` of difference.
    """
    for key in ('pred_sem_seg', 'pred_panoptic_seg'):
        if key in one:
            field = 'data' if key == 'pred_sem_seg' else 'sem_seg'
            first, second = (getattr(getattr(sample, key), field) for sample in (one, other))
            same = first == second
            return Agreement(int(same.sum()), same.numel())
    a, b = one.pred_instances, other.pred_instances
    if not len(a) or not len(b):
        return Agreement(0, len(a) + len(b))
    near = (box_iou(a.bboxes, b.bboxes) > IOU) & (a.labels[:, None] == b.labels)
    near &= (a.scores[:, None] - b.scores).abs() <= SCORE
    if 'masks' in a:
        near &= _same_masks(a.masks, b.masks)
    return Agreement(int(near.any(1).sum() + near.any(0).sum()), len(a) + len(b))


def _same_masks(a: Tensor, b: Tensor) -> Tensor:
    """Compare masks (K, H, W) with (L, H, W): (K, L), see `IOU` and `PIXELS`."""
    one, two = a.flatten(1).float(), b.flatten(1).float()
    common = one @ two.T
    union = one.sum(1)[:, None] + two.sum(1) - common
    return (common > IOU * union) | (union - common <= PIXELS)


def compare(
    config: Config, images: Sequence[Any], batches: Sequence[int], folder: Path
) -> Agreement:
    """Export a model and compare its predictions in batches of these sizes with PyTorch's."""
    size = input_size(config)
    if is_segmentation(config):
        images = [cv2.resize(image, size[::-1]) for image in images]
    else:  # PyTorch pads as the file does
        config.model.data_preprocessor.pad_size_divisor = max(size)
    checkpoint = spread_weights(config, images[:2], folder / 'model.pth')
    path = export(config, str(checkpoint), folder / 'model.onnx', size=size)
    pytorch, exported = Predictor(config, checkpoint, 'cpu'), Predictor(path)
    wanted = pytorch(list(images))
    pairs = [
        (one, other)
        for batch in batches
        for one, other in zip(wanted, exported(list(images), batch), strict=True)
    ]
    path.unlink()
    return sum((agreement(*pair) for pair in pairs), Agreement(0, 0))


def shipped(name: str, side: int | None) -> Config:
    """Load a shipped config, for images of a side if it is given."""
    config = load_config(name)
    if is_segmentation(config):
        if side is not None:
            config.model.data_preprocessor.size = (side, side)
        return config
    config.model.backbone.init_cfg = None
    for step in config.test_dataloader.dataset.pipeline:
        if step.get('type') == 'Resize' and side is not None:
            step.scale = (side, side)
    if side is not None:
        config.model.data_preprocessor.update(batch_augments=None, pad_size_divisor=side)
    return config


def row(name: str, images: Sequence[Any], batches: Sequence[int], side: int | None) -> list[str]:
    """Return a row of the table: a model that cannot be exported has the reason."""
    config = shipped(name, side)
    try:
        size = ' × '.join(map(str, input_size(config)))
        with tempfile.TemporaryDirectory() as folder:
            found = compare(config, images, batches, Path(folder))
    except ValueError as error:
        return [name, '', '', f'refused: {error}']
    verdict = 'validated' if found.share >= SHARE else 'differs'
    return [name, size, f'{found.equal} of {found.total}', verdict]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.exports', description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with images below it')
    parser.add_argument('--images', type=int, default=32)
    parser.add_argument('--models', nargs='+', default=MODELS_SHOWN)
    parser.add_argument('--batches', nargs='+', type=int, default=BATCHES)
    parser.add_argument('--side', type=int, help='smaller images than those of the configs')
    args = parser.parse_args()
    paths = sorted(args.data.rglob('*.jpg'))[: args.images]
    images = [cv2.imread(str(path)) for path in paths]
    rows = []
    for name in args.models:
        rows.append(row(name, images, args.batches, args.side))
        print(' | '.join(rows[-1]), flush=True)
    print_table('Exported files beside PyTorch', ['model', 'input', 'agree', 'ONNX'], rows, 'lrrl')
    sys.exit(any(each[-1] == 'differs' for each in rows))


if __name__ == '__main__':
    main()
