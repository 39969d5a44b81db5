"""The shipped configs that a plan may start from, and how their values are changed."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from effnet_dense.analysis.plan import rules
from effnet_dense.analysis.scaling import published
from effnet_dense.data.config_walk import type_name
from effnet_dense.data.statistics import Resizing
from effnet_dense.engine.config import load_config
from effnet_dense.scaling import architecture, detector
from effnet_dense.weights.image_statistics import HALF, IMAGENET
from effnet_dense.weights.zoo import IMAGENET_WEIGHTS

BACKBONES = (*(f'lite{n}' for n in range(5)), *(f'b{n}' for n in range(5)))
RESIZERS = ('Resize', 'RandomResize')


@dataclass(frozen=True)
class Recipe:
    """A shipped config for one's own data.

    Attributes:
        config: Its name.
        label: What tables call it.
        task: One of `facts.TASKS`.
        base_size: Side of its images; 0 for crops of images in their own size.
        figure: What was measured with it, see docs/model-zoo.md.
        variants: Augmentation → a config that differs in nothing else.
    """

    config: str
    label: str
    task: str
    base_size: int
    figure: str
    variants: tuple[tuple[str, str], ...] = ()

    def with_augmentation(self, name: str) -> str:
        """Return the name of the config with an augmentation; its own if there is none."""
        return dict(self.variants).get(name, self.config)


RECIPES = (
    Recipe(
        'effnet_lite0_retinanet_finetune',
        'RetinaNet',
        'detection',
        320,
        'Penn-Fudan AP 0.556',
        (('mosaic', 'effnet_lite0_retinanet_mosaic_finetune'),),
    ),
    Recipe(
        'efficientdet_lite0_finetune',
        'EfficientDet',
        'detection',
        320,
        'Penn-Fudan AP 0.513',
    ),
    Recipe(
        'effnet_lite0_mask_rcnn_finetune',
        'Mask R-CNN',
        'instances',
        320,
        'Penn-Fudan mask AP 0.484',
        (('copy-paste', 'effnet_lite0_mask_rcnn_copypaste_finetune'),),
    ),
    Recipe('effnet_lite0_fpn_camvid', 'FPN', 'semantic', 0, 'CamVid mIoU 0.696'),
    Recipe('effnet_lite0_bifpn_camvid', 'BiFPN', 'semantic', 0, 'CamVid mIoU 0.683'),
)
"""Within a task, those with the better measured figure first."""


@dataclass(frozen=True)
class Size:
    """The size of images: to which they are resized, and what the network is trained on.

    Attributes:
        scale: Width and height to which images are resized, keeping their ratio.
        crop: Height and width of the network's input in training.
        own: Whether images keep their size.
    """

    scale: tuple[int, int]
    crop: tuple[int, int]
    own: bool = False

    @property
    def pixels(self) -> int:
        """Of an image in training."""
        return self.crop[0] * self.crop[1]

    @property
    def resizing(self) -> Resizing:
        """How images are resized."""
        return Resizing(float(self.scale[0]), float(self.scale[1]))

    def __str__(self) -> str:
        return f'{self.crop[0]}' if self.crop[0] == self.crop[1] else '{} × {}'.format(*self.crop)


@dataclass(frozen=True)
class Schedule:
    """The length of a training.

    Attributes:
        steps: In all.
        per_epoch: Steps of an epoch.
        epochs: Rounded up.
    """

    steps: int
    per_epoch: int

    @property
    def epochs(self) -> int:
        """Number of epochs, rounded up."""
        return math.ceil(self.steps / self.per_epoch)


def published_figure(recipe: Recipe, arch: str) -> float | None:
    """Return the published COCO AP of the family's member; None for other networks and sets."""
    if recipe.label != 'EfficientDet':
        return None
    found = published.DETECTORS.get(detector_name(arch))
    return None if found is None else found.value


def detector_name(arch: str) -> str:
    """Return the EfficientDet with a backbone: 'b2' → 'd2'."""
    return arch if arch.startswith('lite') else f'd{arch[1:]}'


def base_config(recipe: Recipe, augmentation: str = 'jitter') -> Config:
    """Return a copy of a recipe's config."""
    return copy.deepcopy(_read(recipe.with_augmentation(augmentation)))


@functools.cache
def _read(name: str) -> Config:
    return load_config(name)


def set_backbone(config: Config, recipe: Recipe, arch: str) -> None:
    """Exchange the backbone with its weights and what follows from it: channels, normalisation."""
    model = config.model
    if recipe.label == 'EfficientDet':
        _set_detector(model, arch)
    channels = list(architecture(arch).channels())
    start = min(model.backbone.out_indices)
    model.neck.in_channels = channels[start:6]
    model.backbone.arch = arch
    model.backbone.init_cfg = dict(type='Pretrained', checkpoint=IMAGENET_WEIGHTS[arch])
    mean, std = HALF if arch.startswith('lite') else IMAGENET
    model.data_preprocessor.mean, model.data_preprocessor.std = list(mean), list(std)


def _set_detector(model: Any, arch: str) -> None:
    """Scale BiFPN and heads with the backbone, as EfficientDet's table does."""
    sizes = detector(detector_name(arch)).model()
    for part in ('neck', 'bbox_head'):
        for key, value in sizes[part].items():
            if key == 'anchor_generator':
                model[part][key].octave_base_scale = value['octave_base_scale']
            else:
                model[part][key] = value


def set_size(config: Config, size: Size) -> None:
    """Set the size of images everywhere: training, padding, testing."""
    crop_is_height_width = config.default_scope == 'mmseg'
    for step in _steps(config.train_dataloader.dataset):
        _set_training_step(step, size, crop_is_height_width)
    for loop in ('val', 'test'):
        for step in config[f'{loop}_dataloader'].dataset.pipeline:
            if type_name(step) in RESIZERS:
                step['scale'] = size.scale
    preprocessor = config.model.data_preprocessor
    for augment in preprocessor.get('batch_augments') or ():
        augment.size = size.crop
    if preprocessor.get('pad_size_divisor', 32) > 32:
        preprocessor.pad_size_divisor = size.crop[0]
    if preprocessor.get('size'):
        preprocessor.size = size.crop


def _set_training_step(step: Any, size: Size, crop_is_height_width: bool) -> None:
    name = type_name(step)
    if name in RESIZERS:
        step['scale'] = size.scale
    elif name == 'RandomCrop':
        step['crop_size'] = size.crop if crop_is_height_width else size.crop[::-1]
    elif name == 'Pad':
        step['size'] = size.crop[::-1]
    elif name == 'Mosaic':
        step['img_scale'] = size.crop[::-1]


def _steps(dataset: Any) -> Iterator[Any]:
    yield from dataset.get('pipeline') or ()
    if dataset.get('dataset'):
        yield from _steps(dataset.dataset)


def set_schedule(config: Config, recipe: Recipe, schedule: Schedule, batch: int) -> None:
    """Set length, warm-up, evaluation, images per step and the learning rate that belongs to it."""
    base_batch = config.auto_scale_lr.base_batch_size
    config.train_dataloader.batch_size = batch
    optimizer = config.optim_wrapper.optimizer
    optimizer.lr = rules.scaled_rate(optimizer.lr, batch, base_batch)
    config.auto_scale_lr.base_batch_size = batch
    if rules.frozen_norms(batch, base_batch):
        config.model.backbone.norm_eval = True
    warm_up, decay = config.param_scheduler
    if recipe.task == 'semantic':
        steps = schedule.steps
        config.train_cfg.max_iters = config.train_cfg.val_interval = steps
        warm_up.end = max(1, round(rules.warm_up_share(recipe.task) * steps))
        decay.begin, decay.end = warm_up.end, steps
        config.default_hooks.checkpoint.interval = max(1, steps // 4)
        return
    epochs = schedule.epochs
    config.train_cfg.max_epochs = epochs
    config.train_cfg.val_interval = rules.validations(epochs)
    warm_up.end = max(1, round(rules.warm_up_share(recipe.task) * epochs))
    decay.begin, decay.end = warm_up.end, epochs
    decay.T_max = max(1, epochs - warm_up.end)


def set_class_weights(config: Config, weights: list[float]) -> None:
    """Weight a semantic recipe's classes in its cross-entropy."""
    for loss in config.model.decode_head.loss_decode:
        if 'class_weight' in loss:
            loss.class_weight = weights
    config.model.decode_head.num_classes = len(weights)
