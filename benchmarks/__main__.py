"""Compare ours with every installed peer: memory, training step, inference, sizes.

python -m benchmarks features --arch b0 --size 512 --batch 2 --lean 0 1 2 --channels-last
python -m benchmarks detector --name d0 --channels-last
python -m benchmarks inference --arch b0 --modes plain deployed compiled --channels-last
python -m benchmarks loading --data data/coco
python -m benchmarks acceptance --threads 2
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from benchmarks import acceptance, detectors, features
from benchmarks.files import write_comparison, write_targets
from benchmarks.implementation import Implementation, Unavailable, collect_implementations
from benchmarks.loading import measure_loading
from benchmarks.measure import MEASURES, compare
from benchmarks.prepare import MODES
from benchmarks.tables import ALIGN, print_comparison, print_targets
from benchmarks.training_modes import TRAINING_MODES, in_modes
from effnet_dense.analysis.settings import DTYPES, Settings
from effnet_dense.commands.program import run
from effnet_dense.lean import LEVELS
from effnet_dense.utils.console import print_table
from effnet_dense.utils.outputs import check_free


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    arguments = argparse.ArgumentParser(
        prog='python -m benchmarks',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = arguments.add_subparsers(dest='command', required=True)
    command = commands.add_parser('features', help='backbones: C3–C5')
    _add_arch(command)
    _add_training(command)
    command = commands.add_parser('detector', help='EfficientDets, without loss and boxes')
    command.add_argument('--name', default='d0', help="'d0' … 'd7x', 'lite0' … 'lite4'")
    _add_training(command)
    command = commands.add_parser('inference', help='speed: plain, with norms folded, compiled')
    _add_arch(command)
    command.add_argument('--name', help="an EfficientDet instead of a backbone, such as 'd0'")
    _add_input(command, batch=1)
    command.add_argument('--modes', nargs='+', choices=MODES, default=['plain', 'deployed'])
    command = commands.add_parser('loading', help='time of images and boxes: mmdet, ours, OpenCV')
    _add_loading(command)
    command = commands.add_parser('acceptance', help='every promised figure and its target')
    command.add_argument(
        '--part', nargs='+', metavar='TITLE', help="only these comparisons, such as 'train b0'"
    )
    _add_conditions(command)
    return arguments


def _add_loading(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--data', type=Path, required=True, metavar='DIR', help="a folder in COCO's layout")
    add('--ann-file', default='annotations/instances_train2017.json')
    add('--images', default='train2017', help="the images' folder in the data folder")
    add('--size', type=int, default=512, help='largest side of the crop in pixels')
    add('--repeats', type=int, default=7, help='rounds; in each, every pipeline loads all samples')
    add('--debug', action='store_true', help="show an error's traceback")


def _add_arch(command: argparse.ArgumentParser) -> None:
    command.add_argument('--arch', default='b0', help="'b0' … 'v2_b3'")


def _add_training(command: argparse.ArgumentParser) -> None:
    _add_input(command, batch=2)
    command.add_argument('--lean', nargs='+', type=int, choices=LEVELS, default=[0, 1, 2])
    command.add_argument(
        '--measure', nargs='+', choices=MEASURES, default=list(MEASURES), help='what to measure'
    )
    command.add_argument(
        '--modes', nargs='+', choices=TRAINING_MODES, help='default: on a GPU all, else plain'
    )


def _add_input(command: argparse.ArgumentParser, batch: int) -> None:
    add = command.add_argument
    add('--size', type=int, default=512, help='height and width in pixels')
    add('--batch', type=int, default=batch)
    add('--channels-last', action='store_true', help='memory format; mmdet is measured in both')
    add('--precision', choices=DTYPES, default='fp32', help='autocast precision')
    add('--only', nargs='+', metavar='PEER', help='compare only these, such as timm and ours')
    _add_conditions(command)


def _add_conditions(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--threads', type=int, help="PyTorch's threads; default: its own choice")
    add('--repeats', type=int, default=7, help='rounds; every network runs once in each')
    add('--device', default='cpu', help="'cpu', 'cuda' or 'cuda:1'")
    add('--no-tf32', dest='tf32', action='store_false', help='full float32 on a GPU')
    add('--seed', type=int, default=0)
    add('--keep-memory', action='store_true', help='keep freed memory in the process (glibc)')
    add('--out', type=Path, default=Path('work_dirs/benchmark'), metavar='DIR')
    add('--debug', action='store_true', help="show an error's traceback")


def main(args: argparse.Namespace) -> None:
    """Run the command: print its tables, and write them into the folder `--out`."""
    commands = {'acceptance': _run_acceptance, 'loading': _run_loading}
    commands.get(args.command, _run_comparison)(args)


def _run_comparison(args: argparse.Namespace) -> None:
    settings = _settings(args)
    name = getattr(args, 'name', None) or args.arch
    if args.command == 'inference':
        found, unavailable = _implementations(args, name, [None])
        found = in_modes(found, args.modes)
        measures = ['gflops', 'inference']
    else:
        found, unavailable = _implementations(args, name, args.lean)
        default = TRAINING_MODES if settings.on_cuda else TRAINING_MODES[:1]
        found, measures = in_modes(found, args.modes or default), args.measure
    comparison = compare(f'{args.command} {name}', found, settings, measures, unavailable)
    print_comparison(comparison)
    _print_paths(write_comparison(comparison, args.out))


def _settings(args: argparse.Namespace) -> Settings:
    """Return the conditions that the arguments describe."""
    names = [field.name for field in fields(Settings)]
    return Settings(**{name: getattr(args, name) for name in names if hasattr(args, name)})


def _implementations(
    args: argparse.Namespace, name: str, lean: Sequence[int | None]
) -> tuple[list[Implementation], list[Unavailable]]:
    if getattr(args, 'name', None):
        detectors.check_size(args.size)
        ours, peers = detectors.ours(name, lean, args.channels_last), detectors.peers(args.size)
    else:
        ours, peers = features.ours(name, lean, args.channels_last), features.PEERS
    return collect_implementations(ours, peers, name, args.channels_last, args.only)


def _run_loading(args: argparse.Namespace) -> None:
    found = measure_loading(args.data, args.ann_file, args.images, args.size, args.repeats)
    rows = [[row.name, f'{row.milliseconds:.2f}', f'{row.speed:.2f}'] for row in found]
    print_table(f'loading at {args.size} px', ['work', 'ms/img', 'speed'], rows, ALIGN)


def _run_acceptance(args: argparse.Namespace) -> None:
    check_free(args.out / f'acceptance.{suffix}' for suffix in ('json', 'md', 'png'))
    comparisons = []
    for comparison in acceptance.run_comparisons(_settings(args), args.part):
        print_comparison(comparison)
        write_comparison(comparison, args.out)
        comparisons.append(comparison)
    results = acceptance.evaluate_targets(comparisons)
    print_targets(results)
    _print_paths(write_targets(results, comparisons, args.out))


def _print_paths(paths: Sequence[Path]) -> None:
    print('Written:', ', '.join(map(str, paths)))


if __name__ == '__main__':
    sys.exit(run(main, parser()))
