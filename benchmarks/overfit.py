"""Overfit a detector to a few images: whether its head, losses and decoding work together.

python -m benchmarks.overfit effnet_b0_retinanet_coco --data DATA/coco128
python -m benchmarks.overfit effnet_b0_rtmdet_ins_coco --data DATA/coco128 \
    --annotations annotations/instances_masks_train2017.json --steps 400

Trains and evaluates on the same images without augmentation, by AdamW instead of the config's own
optimizer and schedule. Backbone and images are small, so that a CPU will do. The figures say
nothing about other images.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from torch import nn

from effnet_dense.commands.config_arguments import add_options
from effnet_dense.commands.program import run
from effnet_dense.data.coco.heads import set_num_classes
from effnet_dense.data.config_walk import leaf_datasets, type_name
from effnet_dense.engine.config import apply_options, load_config
from effnet_dense.engine.jobs import build_runner
from effnet_dense.settings import Settings
from effnet_dense.utils.console import print_table

ANNOTATIONS = 'annotations/instances_train2017.json'
IMAGES = 'train2017'
MOMENTUM = 0.1
"""Of batch norms: released EfficientNets' 0.01 follows too slowly for some hundred steps."""
WARM_UP = 20
LOOPS = ('train', 'val', 'test')


def first_images(annotations: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the part of COCO annotations with the first images that have objects.

    Raises:
        ValueError: Fewer images have objects.
    """
    used = {entry['image_id'] for entry in annotations['annotations'] if not entry.get('iscrowd')}
    images = sorted((i for i in annotations['images'] if i['id'] in used), key=lambda i: i['id'])
    if len(images) < count:
        raise ValueError(f'expected {count} images with objects, found {len(images)}')
    kept = {image['id'] for image in images[:count]}
    objects = [entry for entry in annotations['annotations'] if entry['image_id'] in kept]
    return {**annotations, 'images': images[:count], 'annotations': objects}


def overfit_config(
    name: str,
    truth: Path,
    images: Path,
    settings: Settings,
    lr: float,
    work_dir: str,
    options: Mapping[str, Any],
) -> Config:
    """Return a config that trains and evaluates on the same images.

    Args:
        name: A shipped config's name, or a path.
        truth: The images' annotations in COCO's format.
        images: Their folder.
        settings: Backbone, weights, image size, batch size, and epochs.
        lr: Highest learning rate.
        work_dir: For logs.
        options: As `--cfg-options`.

    Raises:
        ValueError: The config's data are not in COCO's format, or see `load_config`.
    """
    config = load_config(name, settings=settings, work_dir=work_dir)
    trained = next(iter(leaf_datasets(config.train_dataloader.dataset)))  # inside copy-paste
    kind = type_name(trained)
    if kind != 'CocoDataset':
        raise ValueError(f'{name}: expected a CocoDataset in train_dataloader, got {kind!r}')
    annotations = json.loads(truth.read_text(encoding='utf-8'))
    classes = [category['name'] for category in annotations['categories']]
    set_num_classes(config.model, len(classes))
    _use_images(config, truth, images, classes)
    epochs = config.train_cfg.max_epochs
    steps = epochs * (len(annotations['images']) // config.train_dataloader.batch_size)
    warm_up = min(WARM_UP, steps // 2)
    config.merge_from_dict(
        dict(
            train_cfg=dict(
                _delete_=True, type='EpochBasedTrainLoop', max_epochs=epochs, val_interval=epochs
            ),
            optim_wrapper=dict(
                _delete_=True,
                type='OptimWrapper',
                optimizer=dict(type='AdamW', lr=lr, weight_decay=0.0),
                paramwise_cfg=config.optim_wrapper.get('paramwise_cfg'),
                clip_grad=dict(max_norm=10.0),
            ),
            default_hooks=dict(checkpoint=None, logger=dict(interval=20)),
            report=False,
        )
    )
    config.default_hooks.pop('visualization', None)
    config.custom_hooks = []  # averaged weights and changes of the augmentation
    config.param_scheduler = [
        dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=warm_up),
        dict(type='CosineAnnealingLR', by_epoch=False, begin=warm_up, T_max=steps - warm_up),
    ]
    apply_options(config, options)
    return config


def _use_images(config: Config, truth: Path, images: Path, classes: Sequence[str]) -> None:
    """Let all loops read the same images without augmentation."""
    reading = list(config.test_dataloader.dataset.pipeline)
    # Test pipelines load objects after resizing, at the size of the image file.
    trained = next(iter(leaf_datasets(config.train_dataloader.dataset)))
    annotations = [step for step in trained.pipeline if 'LoadAnn' in step.type]
    resizing = [step for step in reading[1:] if 'LoadAnn' not in step.type]
    steps = [reading[0], annotations[0], *resizing]
    for loop in LOOPS:
        dataset = dict(
            type='CocoDataset',
            ann_file=str(truth),
            data_prefix=dict(img=f'{images}/'),
            metainfo=dict(classes=tuple(classes)),
            pipeline=steps,
            test_mode=loop != 'train',
        )
        batch = config.train_dataloader.batch_size if loop == 'train' else 1
        config[f'{loop}_dataloader'] = ConfigDict(
            batch_size=batch,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=loop == 'train'),
            drop_last=loop == 'train',
            dataset=dataset,
        )
    for loop in LOOPS[1:]:
        config[f'{loop}_evaluator'].ann_file = str(truth)


def overfit(config: Config) -> dict[str, float]:
    """Train a config of `overfit_config`, and return the metrics of its last step."""
    runner = build_runner(config)
    for module in runner.model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = MOMENTUM
    runner.train()
    scalars = runner.message_hub.log_scalars
    return {
        key.removeprefix('val/coco/'): float(history.current())
        for key, history in scalars.items()
        if key.startswith('val/coco/')
    }


def cells(metrics: Mapping[str, float]) -> list[str]:
    """Return box AP and AP50, mask AP and AP50."""
    keys = [f'{kind}_{figure}' for kind in ('bbox', 'segm') for figure in ('mAP', 'mAP_50')]
    return [f'{metrics[key]:.3f}' if key in metrics else '–' for key in keys]


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    arguments = argparse.ArgumentParser(
        prog='python -m benchmarks.overfit',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = arguments.add_argument
    add('configs', nargs='+', metavar='CONFIG', help='names of shipped configs, or paths')
    add('--data', type=Path, required=True, metavar='DIR', help="a folder in COCO's layout")
    add('--annotations', default=ANNOTATIONS, help=f'file below DIR; default: {ANNOTATIONS}')
    add('--images-folder', default=IMAGES, help=f'folder below DIR; default: {IMAGES}')
    add('--images', type=int, default=16, help='the first that have objects')
    add('--image-size', type=int, default=256, help='side in pixels')
    add('--steps', type=int, default=200, help='a multiple of --images ÷ --batch-size')
    add('--batch-size', type=int, default=8, help='a divisor of --images')
    add('--lr', type=float, default=0.002, help='highest learning rate of AdamW')
    add('--backbone', default='lite0')
    add('--weights', help="default: the backbone's own ImageNet weights")
    add('--seed', type=int, default=0)
    add_options(arguments)
    add('--debug', action='store_true', help="show an error's traceback")
    return arguments


def main(args: argparse.Namespace) -> None:
    """Print a row for each config.

    Raises:
        ValueError: The steps are no number of epochs of full batches.
    """
    per_epoch = args.images // args.batch_size
    if args.images % args.batch_size or args.steps < per_epoch or args.steps % per_epoch:
        raise ValueError(
            f'expected --steps {args.steps} to be epochs of {args.images} images in batches of '
            f'{args.batch_size}'
        )
    settings = Settings(
        epochs=args.steps // per_epoch,
        image_size=(args.image_size, args.image_size),
        batch_size=args.batch_size,
        backbone=args.backbone,
        weights=args.weights,
        seed=args.seed,
    )
    source = args.data / args.annotations
    truth = first_images(json.loads(source.read_text(encoding='utf-8')), args.images)
    found = []
    for name in args.configs:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch, 'truth.json')
            path.write_text(json.dumps(truth), encoding='utf-8')
            folder = (args.data / args.images_folder).resolve()
            work_dir = str(Path(scratch, 'run'))
            config = overfit_config(
                name, path, folder, settings, args.lr, work_dir, args.cfg_options or {} or {}
            )
            start = time.perf_counter()
            metrics = overfit(config)
        minutes = (time.perf_counter() - start) / 60
        found.append([Path(name).stem, str(args.steps), *cells(metrics), f'{minutes:.1f}'])
    heads = ['config', 'steps', 'box AP', 'AP50', 'mask AP', 'AP50', 'minutes']
    side = args.image_size
    print_table(f'{args.backbone}, {args.images} images of {side} px', heads, found, 'lr')


if __name__ == '__main__':
    sys.exit(run(main, parser()))
