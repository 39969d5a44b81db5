"""List the models that come with the package: configs for `train`, and backbones for --backbone.

The figures are percent: published by others for the same network and recipe, or of trainings of
this project on small datasets. A config without a figure has not been trained.

Examples:
  effnet-dense models
  effnet-dense models finetune
  effnet-dense models 'efficientdet_*_coco' --task detection
  effnet-dense models --task backbone --json
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from difflib import get_close_matches
from typing import TYPE_CHECKING

from effnet_dense.commands.parsers import Parser, add_debug, command_parser

if TYPE_CHECKING:
    from effnet_dense.api.models import ModelInfo

TASKS = ('detection', 'instance', 'panoptic', 'segmentation', 'backbone')
HEADINGS = ('name', 'task', 'input', 'M', 'G', 'figure', 'from', 'starts from', 'licence')
NARROW = 6
"""Columns on a terminal of less than `WIDE` characters."""
WIDE = 150
_UNITS = (
    'input: training images in pixels. M: 10⁶ parameters. G: 10⁹ multiply-adds of one image, '
    'with * without what follows the proposals. '
)
NOTE = f'{_UNITS}licence: of the weights that training starts from.'
NOTE_NARROW = f'{_UNITS}A wider terminal, or --json, shows sources, starting weights and licences.'


def parser(prog: str | None = None) -> Parser:
    """Return the command line's parser."""
    arguments = command_parser(__doc__, prog)
    add = arguments.add_argument
    add(
        'pattern',
        nargs='?',
        metavar='PATTERN',
        help='a part of the name, or the whole of it with * and ?',
    )
    add('--task', choices=TASKS, help='only models of this task')
    add('--json', action='store_true', help='print JSON with all that is known')
    add_debug(arguments)
    return arguments


def main(args: argparse.Namespace) -> None:
    """Print the models that the arguments select.

    Raises:
        ValueError: There are none; the message has similar names.
    """
    from effnet_dense.api.models import list_models

    found = list_models(args.task, args.pattern)
    if not found:
        names = [model.name for model in list_models(args.task)]
        near = get_close_matches(args.pattern, names, n=3, cutoff=0.4)
        hint = f'the nearest: {", ".join(near)}' if near else 'effnet-dense models lists all'
        raise ValueError(f'no model is like {args.pattern!r}; {hint}')
    if args.json:
        print(json.dumps([asdict(model) for model in found], indent=2, default=str))
        return
    from effnet_dense.utils.console import print_table

    count = len(HEADINGS) if _is_wide() else NARROW
    rows = [cells(model)[:count] for model in found]
    print_table('Models', HEADINGS[:count], rows, 'lllrrllll')
    print(NOTE if count > NARROW else NOTE_NARROW)


def _is_wide() -> bool:
    return not sys.stdout.isatty() or shutil.get_terminal_size().columns >= WIDE


def cells(model: ModelInfo) -> Sequence[str]:
    """Return a model's row."""
    height, width = model.input_size
    return (
        model.name,
        model.task,
        str(width) if height == width else f'{height} × {width}',
        short(model.parameters / 1e6),
        short(model.multiply_adds / 1e9) + (' *' if model.counted else ''),
        ', '.join(f'{f.dataset} {f.metric} {f.value:.1f}' for f in model.figures) or '–',
        model.figures[0].source if model.figures else 'not trained',
        model.weights,
        model.license,
    )


def short(value: float) -> str:
    """Return a number with three digits: 0.96, 2.46, 24.3, 133."""
    return f'{value:.2f}' if value < 9.995 else f'{value:.1f}' if value < 99.95 else f'{value:.0f}'
