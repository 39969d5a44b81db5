"""The flags of `Settings`: each changes a config in all the places that belong together."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from effnet_dense.commands.readers import SIDE, batch_size, given_path, name, positive, whole
from effnet_dense.settings import LEAN_LEVELS, LOGGERS, PRECISIONS, Settings

LARGEST_SEED = 2**32 - 1


class _Group(argparse.Action):
    """Reads the words of a flag together: `combine` turns their list into the value."""

    combine: Callable[[list[Any]], Any] = tuple

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store the value."""
        try:
            setattr(namespace, self.dest, type(self).combine(values))
        except ValueError as error:
            raise argparse.ArgumentError(self, str(error)) from error


def _width_and_height(sides: list[int]) -> tuple[int, int]:
    if len(sides) > 2:
        raise ValueError(
            f'expected one number, or width and height, got {len(sides)}: {sides}'.rstrip()
        )
    return sides[0], sides[-1]


def _distinct(names: list[str]) -> tuple[str, ...]:
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise ValueError(f'expected different names, got more than once: {", ".join(twice)}')
    return tuple(names)


class ImageSize(_Group):
    """Reads one side or width and height."""

    combine = staticmethod(_width_and_height)


class Names(_Group):
    """Reads names that differ."""

    combine = staticmethod(_distinct)


FLAGS: dict[str, dict[str, Any]] = {
    'epochs': dict(
        flag='--epochs',
        type=whole(1),
        metavar='N',
        help='length of the training; warm-up, learning rate schedule, validation, checkpoints '
        'and closing augmentations scale with it',
    ),
    'iterations': dict(
        flag='--iterations',
        type=whole(1),
        metavar='N',
        help='length of the training in steps, in place of --epochs, and what scales with it',
    ),
    'image_size': dict(
        flag='--image-size',
        action=ImageSize,
        nargs='+',
        type=SIDE,
        metavar=('S', 'H'),
        help='side in pixels, or width and height, of training, testing and prediction: every '
        'pipeline, padding and test-time augmentation',
    ),
    'batch_size': dict(
        flag='--batch-size',
        type=batch_size,
        metavar='N|auto',
        help='images per step and device; auto: the largest that the memory forecast says fits. '
        'The learning rate scales with it',
    ),
    'lr': dict(flag='--lr', type=positive, metavar='X', help='learning rate after warm-up'),
    'classes': dict(
        flag='--classes',
        action=Names,
        nargs='+',
        type=name,
        metavar='NAME',
        help="classes of the data to keep, in this order; other classes' objects are ignored",
    ),
    'backbone': dict(
        flag='--backbone',
        type=name,
        metavar='NAME',
        help='another EfficientNet, such as b3, lite2 or v2_s, with its ImageNet weights; the '
        "neck's channels follow",
    ),
    'weights': dict(
        flag='--weights',
        type=given_path,
        metavar='SOURCE',
        help="the backbone's weights: a file, URL or named source such as timm://…, or none",
    ),
    'from_detector': dict(
        flag='--from',
        type=given_path,
        metavar='DETECTOR',
        help="a complete model's weights to start from: a file, URL, work folder, or a detector "
        'trained on COCO such as effdet://tf_efficientdet_lite0; classes of other names start anew',
    ),
    'freeze': dict(
        flag='--freeze',
        type=whole(0),
        metavar='N',
        help="number of the backbone's stages that are not trained",
    ),
    'patience': dict(
        flag='--patience',
        type=whole(1),
        metavar='N',
        help='stop after so many validations without a better result',
    ),
    'seed': dict(
        flag='--seed',
        type=whole(0, LARGEST_SEED),
        metavar='N',
        help='seed of weights, order and augmentation',
    ),
    'precision': dict(
        flag='--precision',
        choices=PRECISIONS,
        help='numbers of the forward pass; fp16 and bf16 are mixed precision',
    ),
    'workers': dict(
        flag='--workers',
        type=whole(0),
        metavar='N',
        help='processes per device that load images',
    ),
    'loggers': dict(flag=''),
    'compile': dict(
        flag='--compile', action='store_true', help='compile the model (torch.compile)'
    ),
    'cuda_graphs': dict(
        flag='--cuda-graphs',
        action='store_true',
        help='replay backbone, neck and heads from CUDA graphs: for images of one size on one GPU',
    ),
    'reduced_decoding': dict(
        flag='--reduced-decoding',
        action='store_true',
        help='decode JPEG images of the training at 1/2, 1/4 or 1/8 of their size where they are '
        'resized to less',
    ),
    'harden': dict(
        flag='--harden',
        action='store_true',
        help='train on partly degraded images (AugMix and noise), so that noise, blur, fog and '
        'compression do less harm',
    ),
    'lean': dict(
        flag='--lean',
        type=int,
        choices=LEAN_LEVELS,
        help='level of lean training: the memory of a step falls, its result stays',
    ),
    'device': dict(
        flag='--device',
        type=name,
        metavar='D',
        help='cpu, cuda or cuda:1; by default a GPU if there is one',
    ),
}
"""Field of `Settings` → its flag, in the order of the help."""

ALL = tuple(FLAGS)
TEST = ('image_size', 'classes', 'workers', 'device')
BROWSE = ('image_size', 'classes', 'seed')
PREDICT = ('image_size',)
_LENGTHS = ('epochs', 'iterations')
_LOGGER_NAMES = dict(tensorboard='TensorBoard', wandb='Weights & Biases', mlflow='MLflow')


def add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add the flags of these fields of `Settings`."""
    title = 'settings (each updates every part of the config that depends on it)'
    group = parser.add_argument_group(title)
    for each in names:
        if each == 'loggers':
            for logger in LOGGERS:
                text = f'log to {_LOGGER_NAMES[logger]}, too'
                group.add_argument(f'--{logger}', action='store_true', help=text)
            continue
        arguments = dict(FLAGS[each])
        flag = arguments.pop('flag')
        if each == _LENGTHS[0]:
            lengths = group.add_mutually_exclusive_group()
        (lengths if each in _LENGTHS else group).add_argument(flag, dest=each, **arguments)


def settings_of(args: argparse.Namespace, names: Sequence[str]) -> Settings:
    """Return the settings that the flags of these fields request."""
    values = {each: getattr(args, each) for each in names if each != 'loggers'}
    loggers = tuple(each for each in LOGGERS if 'loggers' in names and getattr(args, each))
    return Settings(**values, loggers=loggers)
