"""The arguments of the commands that run a trained model on images."""

from __future__ import annotations

import argparse
from pathlib import Path

from effnet_dense.commands.config_arguments import add_options
from effnet_dense.commands.parsers import Parser, add_debug
from effnet_dense.commands.readers import image_range
from effnet_dense.commands.setting_arguments import PREDICT, add_settings


def add_image_options(parser: Parser) -> None:
    """Add the flags of how images are read and how the config is changed."""
    parser.add_argument(
        '--image-range',
        type=image_range,
        metavar='MAX|MIN,MAX',
        help="values that become black and white, such as 4095 for 12 bits; by default the files'",
    )
    add_options(parser)
    add_debug(parser)
    add_settings(parser, PREDICT)


def words_of(args: argparse.Namespace, needed: bool = True) -> tuple[str, list[str]]:
    """Return the checkpoint and the sources: after a work folder or checkpoint all are sources.

    Args:
        args: With `config`, `checkpoint` and `sources`.
        needed: Whether there must be a source.

    Raises:
        FileNotFoundError: There is neither a config nor a run of the first name.
        ValueError: A config has no checkpoint, or there is no source.
    """
    from effnet_dense.data.image_files import IMAGE_SUFFIXES
    from effnet_dense.engine.config import check_source
    from effnet_dense.engine.run_folder import default_checkpoint, is_checkpoint, is_run

    check_source(args.config)
    checkpoint, sources = args.checkpoint, list(args.sources)
    if is_run(args.config) and checkpoint is not None and not is_checkpoint(checkpoint):
        if Path(checkpoint).suffix.lower() == '.onnx':
            raise ValueError(f'{checkpoint} is an exported file: expected it without {args.config}')
        checkpoint, sources = None, [checkpoint, *sources]
    elif checkpoint is not None and Path(checkpoint).suffix.lower() in IMAGE_SUFFIXES:
        raise ValueError(
            f'{args.config} is a config: expected a checkpoint after it, before the images, got '
            f'the image {checkpoint}'
        )
    if checkpoint is None:
        checkpoint = default_checkpoint(args.config)
    if not sources and needed:
        raise ValueError(
            f'expected images, folders or videos after {args.checkpoint or args.config}'
        )
    return str(checkpoint), sources
