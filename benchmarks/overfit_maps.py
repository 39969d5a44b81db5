"""Overfit a segmentor to a few images: whether its head, losses and prediction work together.

python -m benchmarks.overfit_maps effnet_lite0_eseg_cityscapes --data DATA/camvid

As `benchmarks.overfit` for detectors: trains and evaluates on the same images, without
augmentation, with AdamW instead of the schedule of the config. What is measured is no accuracy on
other images.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from benchmarks.overfit import MOMENTUM, WARM_UP
from effnet_dense.commands.config_arguments import add_options
from effnet_dense.commands.program import run
from effnet_dense.engine.config import apply_options, load_config
from effnet_dense.engine.jobs import build_runner
from effnet_dense.settings import Settings
from effnet_dense.utils.console import print_table

SPLITS = ('train', 'val')
CLASSES = 'classes.json'


def copy_images(data: Path, out: Path, count: int) -> None:
    """Write some of a folder's training images, at equal distances, as both splits of another.

    Args:
        data: `images/train`, `labels/train` and `classes.json`, as `--data` takes them.
        out: An empty folder.
        count: Images.

    Raises:
        ValueError: The folder has fewer.
    """
    images = sorted((data / 'images' / 'train').iterdir())
    if len(images) < count:
        raise ValueError(f'{data}: expected {count} images in images/train, found {len(images)}')
    shutil.copy(data / CLASSES, out / CLASSES)
    for split in SPLITS:
        for kind in ('images', 'labels'):
            (out / kind / split).mkdir(parents=True)
        for image in images[:: len(images) // count][:count]:
            shutil.copy(image, out / 'images' / split)
            label = data / 'labels' / 'train' / f'{image.stem}.png'
            shutil.copy(label, out / 'labels' / split)


def overfit_config(
    name: str,
    data: Path,
    settings: Settings,
    lr: float,
    work_dir: str,
    options: Mapping[str, Any],
) -> Config:
    """Return a config that trains and evaluates on the same images.

    Args:
        name: A shipped config's name, or a path.
        data: A folder of `copy_images`.
        settings: Backbone, weights, image size, batch size, and iterations.
        lr: Highest learning rate.
        work_dir: For logs.
        options: As `--cfg-options`.

    Raises:
        ValueError: The config is none of a segmentor, or see `load_config`.
    """
    if settings.image_size is None or settings.iterations is None:
        raise ValueError('expected settings with image_size and iterations')
    if 'decode_head' not in load_config(name).model:
        raise ValueError(f'{name}: expected a segmentor with a decode_head')
    config = load_config(name, data=data, settings=settings, work_dir=work_dir)
    steps, (height, width) = settings.iterations, settings.image_size
    resize = dict(type='Resize', scale=(width, height), keep_ratio=False)
    for loop in ('train', 'val', 'test'):
        pipeline = config[f'{loop}_dataloader'].dataset.pipeline
        # Evaluated at the size of the files, trained on at that of the images.
        labels = next(step for step in pipeline if 'Load' in step.type and step != pipeline[0])
        middle = [labels, resize] if loop == 'train' else [resize, labels]
        config[f'{loop}_dataloader'].dataset.pipeline = [pipeline[0], *middle, pipeline[-1]]
        config[f'{loop}_dataloader'].num_workers = 0
        config[f'{loop}_dataloader'].persistent_workers = False
    warm_up = min(WARM_UP, steps // 2)
    config.merge_from_dict(
        dict(
            optim_wrapper=dict(
                _delete_=True,
                type='OptimWrapper',
                optimizer=dict(type='AdamW', lr=lr, weight_decay=0.0),
                paramwise_cfg=config.optim_wrapper.get('paramwise_cfg'),
                clip_grad=dict(max_norm=10.0),
            ),
            train_cfg=dict(val_interval=steps),
            default_hooks=dict(checkpoint=None, logger=dict(interval=20)),
            report=False,
        )
    )
    config.param_scheduler = [
        dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=warm_up),
        dict(type='CosineAnnealingLR', by_epoch=False, begin=warm_up, T_max=steps - warm_up),
    ]
    apply_options(config, options)
    return config


def overfit(config: Config) -> float:
    """Train a config of `overfit_config`, and return the mIoU of its last step in per cent."""
    runner = build_runner(config)
    for module in runner.model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = MOMENTUM
    runner.train()
    return float(runner.message_hub.get_scalar('val/mIoU').current())


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    arguments = argparse.ArgumentParser(
        prog='python -m benchmarks.overfit_maps',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = arguments.add_argument
    add('configs', nargs='+', metavar='CONFIG', help='names of shipped configs, or paths')
    add('--data', type=Path, required=True, metavar='DIR', help='a folder as --data takes it')
    add('--images', type=int, default=16, help='at equal distances')
    add('--image-size', type=int, nargs=2, default=(256, 320), metavar=('H', 'W'))
    add('--steps', type=int, default=200)
    add('--batch-size', type=int, default=8)
    add('--lr', type=float, default=0.002, help='highest learning rate of AdamW')
    add('--backbone', default='lite0')
    add('--weights', help="default: the backbone's own ImageNet weights")
    add('--seed', type=int, default=0)
    add_options(arguments)
    add('--debug', action='store_true', help="show an error's traceback")
    return arguments


def main(args: argparse.Namespace) -> None:
    """Print a row for each config."""
    height, width = args.image_size
    settings = Settings(
        iterations=args.steps,
        image_size=(height, width),
        batch_size=args.batch_size,
        backbone=args.backbone,
        weights=args.weights,
        seed=args.seed,
    )
    rows = []
    for name in args.configs:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch, 'data')
            folder.mkdir()
            copy_images(args.data, folder, args.images)
            work_dir = str(Path(scratch, 'run'))
            options = args.cfg_options or {}
            config = overfit_config(name, folder, settings, args.lr, work_dir, options)
            start = time.perf_counter()
            figure = overfit(config)
        minutes = (time.perf_counter() - start) / 60
        rows.append([Path(name).stem, str(args.steps), f'{figure:.1f}', f'{minutes:.1f}'])
    title = f'{args.backbone}, {args.images} images of {height} × {width} px'
    print_table(title, ['config', 'steps', 'mIoU', 'minutes'], rows, 'lr')


if __name__ == '__main__':
    sys.exit(run(main, parser()))
