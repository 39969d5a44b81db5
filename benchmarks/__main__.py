"""Compare ours with every installed peer: memory, training step, inference, sizes.

python tools/benchmark.py features --arch b0 --size 512 --batch 2 --lean 0 1 2 --channels-last
python tools/benchmark.py detector --name d0 --channels-last
python tools/benchmark.py inference --arch b0 --modes plain deployed compiled --channels-last
python tools/benchmark.py loading --data data/coco
python tools/benchmark.py acceptance --threads 2
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import acceptance, detectors, features
from benchmarks.contender import Absent, Contender, line_up
from benchmarks.files import write, write_targets
from benchmarks.loading import measure_loading
from benchmarks.measure import MEASURES, measure
from benchmarks.ready import MODES
from benchmarks.table import (
    TARGET_COLUMNS,
    print_report,
    print_table,
    target_cells,
)
from effnet_dense.analysis.settings import DTYPES, Settings
from effnet_dense.engine.command import run
from effnet_dense.lean import LEVELS


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = arguments.add_subparsers(dest='command', required=True)
    command = commands.add_parser('features', help='backbones: C3–C5')
    _add_arch(command)
    _add_training(command)
    command = commands.add_parser('detector', help='whole EfficientDets, without loss and boxes')
    command.add_argument('--name', default='d0', help="'d0' … 'd7x', 'lite0' … 'lite4'")
    _add_training(command)
    command = commands.add_parser('inference', help='as it is, with norms folded, compiled')
    _add_arch(command)
    command.add_argument('--name', help="a whole EfficientDet instead of a backbone, as 'd0'")
    _add_input(command, batch=1)
    command.add_argument('--modes', nargs='+', choices=MODES, default=['plain', 'deployed'])
    command = commands.add_parser('loading', help='pictures and boxes, beside mmdet and OpenCV')
    _add_loading(command)
    command = commands.add_parser('acceptance', help='every promised figure beside its target')
    command.add_argument('--part', nargs='+', metavar='TITLE', help="some reports: 'train b0' …")
    _add_conditions(command)
    return arguments


def _add_loading(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add('--data', type=Path, required=True, metavar='DIR', help="a folder in COCO's layout")
    add('--ann-file', default='annotations/instances_train2017.json')
    add('--images', default='train2017', help='folder of the pictures, inside of the other')
    add('--size', type=int, default=512, help='of the crop at most, in pixels')
    add('--repeats', type=int, default=7, help='rounds; every one makes all samples in each')
    add('--debug', action='store_true', help="show an error's traceback")


def _add_arch(command: argparse.ArgumentParser) -> None:
    command.add_argument('--arch', default='b0', help="'b0' … 'v2_b3'")


def _add_training(command: argparse.ArgumentParser) -> None:
    _add_input(command, batch=2)
    command.add_argument('--lean', nargs='+', type=int, choices=LEVELS, default=[0, 1, 2])
    command.add_argument(
        '--measure', nargs='+', choices=MEASURES, default=list(MEASURES), help='what to measure'
    )


def _add_input(command: argparse.ArgumentParser, batch: int) -> None:
    command.add_argument('--size', type=int, default=512, help='height and width in pixels')
    command.add_argument('--batch', type=int, default=batch)
    command.add_argument(
        '--channels-last', action='store_true', help='memory format of all; mmdet in NCHW as well'
    )
    command.add_argument('--precision', choices=DTYPES, default='fp32', help='of autocast')
    command.add_argument('--only', nargs='+', metavar='PEER', help='timm ours …; default all')
    _add_conditions(command)


def _add_conditions(command: argparse.ArgumentParser) -> None:
    command.add_argument('--threads', type=int, help="of PyTorch; default: PyTorch's own choice")
    command.add_argument(
        '--repeats', type=int, default=7, help='rounds; every one runs once in each'
    )
    command.add_argument('--device', default='cpu', help="'cpu', 'cuda' or 'cuda:1'")
    command.add_argument('--seed', type=int, default=0)
    command.add_argument(
        '--keep-memory', action='store_true', help='no new pages for each feature, by glibc'
    )
    command.add_argument('--out', type=Path, default=Path('work_dirs/benchmark'), metavar='DIR')
    command.add_argument('--debug', action='store_true', help="show an error's traceback")


def settings_of(args: argparse.Namespace) -> Settings:
    """The conditions that the arguments describe; sizes where the command has them."""
    names = ('size', 'batch', 'repeats', 'threads', 'device', 'precision', 'seed', 'keep_memory')
    return Settings(**{name: getattr(args, name) for name in names if hasattr(args, name)})


def main(args: argparse.Namespace) -> None:
    """Measure what the command line describes; print, and write into the folder."""
    if args.command == 'acceptance':
        return _acceptance(args)
    if args.command == 'loading':
        return _loading(args)
    settings = settings_of(args)
    name = getattr(args, 'name', None) or args.arch
    if args.command == 'inference':
        lean, measures = [None], ['gflops', 'inference']
    else:
        lean, measures = args.lean, args.measure
    contenders, absent = _line_up(args, name, lean)
    if args.command == 'inference':
        contenders = [contender.in_mode(mode) for contender in contenders for mode in args.modes]
    title = f'{args.command} {name}'
    report = measure(title, contenders, settings, measures, absent)
    print_report(report)
    _say(write(report, args.out, title.replace(' ', '_')))


def _line_up(
    args: argparse.Namespace, name: str, lean: Sequence[int | None]
) -> tuple[list[Contender], list[Absent]]:
    if getattr(args, 'name', None):
        detectors.check_size(args.size)
        own, peers = detectors.ours(name, lean, args.channels_last), detectors.peers(args.size)
    else:
        own, peers = features.ours(name, lean, args.channels_last), features.PEERS
    return line_up(own, peers, name, args.channels_last, args.only)


def _loading(args: argparse.Namespace) -> None:
    found = measure_loading(args.data, args.ann_file, args.images, args.size, args.repeats)
    rows = [[row.name, f'{row.milliseconds:.2f}', f'{row.speed:.2f}'] for row in found]
    print_table(f'loading at {args.size} px', ['work', 'ms/img', 'speed'], rows)


def _acceptance(args: argparse.Namespace) -> None:
    reports = []
    for report in acceptance.run(settings_of(args), args.part):
        print_report(report)
        write(report, args.out, report.title.replace(' ', '_'))
        reports.append(report)
    found = acceptance.results(reports)
    print_table('Targets', TARGET_COLUMNS, [target_cells(result) for result in found])
    _say(write_targets(found, reports, args.out))


def _say(paths: Sequence[Path]) -> None:
    print('Written:', ', '.join(str(path) for path in paths))


if __name__ == '__main__':
    sys.exit(run(main, parser()))
