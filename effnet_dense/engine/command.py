"""Command line arguments that the tools share, and one-line errors for users."""

from __future__ import annotations

import argparse
import math
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import torch.distributed as dist
from mmengine.config import Config, DictAction

from effnet_dense.data.parts import Division
from effnet_dense.data.skipping import DEFAULT_LIMIT
from effnet_dense.data.splitting import VAL_SHARE
from effnet_dense.engine.checks.numbers import check_integer, check_share
from effnet_dense.engine.config import load_config
from effnet_dense.utils.config_errors import reason
from effnet_dense.utils.console import print_any_character
from effnet_dense.utils.controls import escape_controls
from effnet_dense.utils.output_folders import check_file, check_folder, check_path
from effnet_dense.utils.urls import without_user

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')
USER_ERRORS = (ValueError, KeyError, OSError, ImportError, FloatingPointError)


class Options(DictAction):
    """mmengine's KEY=VALUE pairs; a malformed one is an argparse error, not a traceback."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add the pairs to the dictionary."""
        try:
            super().__call__(parser, namespace, values, option_string)
        except RecursionError as error:  # mmengine's, for a value such as dict(a=1, b=2)
            raise argparse.ArgumentError(
                self,
                'expected KEY=VALUE pairs, where a value is a number, a name, or (…) or […] of '
                f'them, and KEY.ENTRY=VALUE for an entry of a dictionary; got {values}',
            ) from error
        except (ValueError, AssertionError) as error:
            raise argparse.ArgumentError(
                self, f'expected KEY=VALUE pairs, got {values}: {error}'
            ) from error


def score(text: str) -> float:
    """Read an option that is a score.

    Raises:
        ArgumentTypeError: It is no number from 0 to 1.
    """
    try:
        value = float(text)
        check_share('a score', value)
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected a number from 0 to 1, got {text!r}') from None
    return value


def positive(text: str) -> float:
    """Read an option that is a finite number above 0.

    Raises:
        ArgumentTypeError: It is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f'expected a number above 0, got {text!r}')
    return value


def whole(smallest: int, largest: int | None = None) -> Callable[[str], int]:
    """Return a reader of options that are whole numbers in a range.

    It raises ArgumentTypeError for others.
    """

    most = '' if largest is None else f', at most {largest}'

    def read(text: str) -> int:
        try:
            value = int(text)
            check_integer('a number', value, smallest, largest)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f'expected a whole number, at least {smallest}{most}, got {text!r}'
            ) from None
        return value

    return read


def given_path(text: str) -> str:
    """Return the path of an option, which must not be empty: that would be the current folder.

    Raises:
        FileNotFoundError: It is. Unlike a ValueError this passes argparse, and becomes one line.
    """
    check_path(text)
    return text


def output_folder(text: str) -> str:
    """Return an option's folder of results, which must be writable or one that can be made.

    Raises:
        OSError: See `check_folder`.
    """
    check_folder(text)
    return text


def output_file(text: str) -> str:
    """Return an option's file of results, in a folder as in `output_folder`.

    Raises:
        OSError: See `check_folder`.
    """
    check_file(text)
    return text


def config_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every tool that runs a config."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'config',
        type=given_path,
        help='config file, or the name of a config that the package ships',
    )
    parser.add_argument(
        '--data',
        type=given_path,
        metavar='DIR',
        help='folder or ZIP file as annotation tools export it, or of images and label maps, or '
        "'demo'; its classes and files replace the config's",
    )
    parser.add_argument(
        '--val-share',
        type=float,
        default=VAL_SHARE,
        metavar='SHARE',
        help=f'share of the images of --data that are evaluated, where it has one part only '
        f'({VAL_SHARE} by default)',
    )
    parser.add_argument(
        '--split-seed',
        type=int,
        default=0,
        metavar='N',
        help='seed by which --data with one part is divided; the same for training and testing',
    )
    parser.add_argument(
        '--work-dir',
        type=output_folder,
        metavar='DIR',
        help='for checkpoints and logs (default: work_dirs/<config>)',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=Options,
        metavar='KEY=VALUE',
        help='change the config: train_dataloader.batch_size=2 model.backbone.init_cfg=None',
    )
    parser.add_argument(
        '--channels-last',
        action='store_true',
        help='keep weights and features in channels-last memory format, usually faster',
    )
    parser.add_argument(
        '--launcher', choices=LAUNCHERS, default='none', help='what starts the processes'
    )
    parser.add_argument(
        '--skip-bad',
        nargs='?',
        type=float,
        const=DEFAULT_LIMIT,
        metavar='SHARE',
        help='leave out broken images, and broken annotations of --data, up to this share of them '
        f'({DEFAULT_LIMIT} without a value), and list them in the work folder',
    )
    # Added by torch.distributed.launch, which mim runs; torch itself reads the environment.
    parser.add_argument('--local_rank', '--local-rank', type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        '--debug', action='store_true', help="show an error's traceback before its message"
    )
    return parser


def config_of(args: argparse.Namespace, splits: Sequence[str] = ('train', 'val')) -> Config:
    """Load the config that `config_parser`'s arguments describe; `splits` as in `load_config`."""
    config = load_config(
        args.config,
        data=args.data,
        options=args.cfg_options,
        work_dir=args.work_dir,
        launcher=args.launcher,
        splits=splits,
        skip_bad=args.skip_bad,
        division=Division(args.val_share, args.split_seed),
    )
    if args.channels_last:
        config.channels_last = True
    return config


def run(
    tool: Callable[[argparse.Namespace], Any],
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
) -> int:
    """Run a tool; user errors print one line `error: …` and return 2, Ctrl-C returns 130.

    Args:
        tool: The tool's main function.
        parser: Its arguments; must have `--debug`.
        argv: The command line after the program's name; by default the process's own.

    Returns:
        The exit status.
    """
    print_any_character()
    args = argparse.Namespace(debug=False)
    try:
        args = parser.parse_args(argv)
        tool(args)
    except USER_ERRORS as error:
        if args.debug:
            traceback.print_exc()
        print(f'error: {escape_controls(without_user(message(error)))}', file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f'{stop or "stopped"}', file=sys.stderr)
        return 128 + getattr(stop, 'signum', signal.SIGINT)
    if dist.is_initialized():
        # Otherwise gloo's threads may abort a process that has finished (pytorch#179291).
        dist.destroy_process_group()
    return 0


def message(error: BaseException) -> str:
    """Return an error's message; its last line if it came from a data loader's worker."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if 'Original Traceback' in text:
        text = text.strip().splitlines()[-1]
        kind, _, text = text.rpartition(': ') if text.endswith(': ') else text.partition(': ')
        return text if ' ' in text else f'{kind}: {text}'
    if isinstance(error, OSError) and error.strerror:
        return f'{error.filename}: {error.strerror}' if error.filename else error.strerror
    return reason(error)
