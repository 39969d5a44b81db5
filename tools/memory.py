"""Predict the peak memory of training a config on a GPU, without one.

python tools/memory.py configs/efficientdet_d0_coco.py --batch-size 4 --lean 0 1 2
python tools/memory.py configs/effnet_b3_retinanet_coco.py --precision bf16 --gib 24
"""

from __future__ import annotations

import argparse
import sys

from effnet_dense.analysis.memory import report
from effnet_dense.analysis.memory.batch import OBJECTS
from effnet_dense.analysis.memory.survey import RESERVE, Survey, check_room
from effnet_dense.engine.command import Options, run


def parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = arguments.add_argument
    add('configs', nargs='+', metavar='CONFIG', help='config files, or names of shipped ones')
    add('--batch-size', type=int, metavar='N', help="images a step; default the config's")
    add('--size', type=int, nargs='+', metavar='PX', help="side, or height and width; the config's")
    add('--precision', nargs='+', default=[None], metavar='P', help='fp32, bf16, fp16')
    add('--lean', type=int, nargs='+', default=[None], metavar='L', help='0, 1, 2')
    add('--objects', type=int, default=OBJECTS, metavar='N', help='in an image of a detector')
    add('--gib', type=float, metavar='N', help='name the largest batch for a GPU of N GiB')
    add('--reserve', type=float, default=RESERVE, metavar='N', help='GiB left for CUDA and cuDNN')
    add('--json', metavar='FILE', help='write the figures, in bytes')
    add('--markdown', action='store_true', help='one row a config, one column a setting')
    add('--cfg-options', nargs='+', action=Options, metavar='KEY=VALUE', help='change the config')
    add('--debug', action='store_true', help="show an error's traceback, not its message alone")
    return arguments


def main(args: argparse.Namespace) -> None:
    """Predict what the command line describes."""
    if args.gib is not None:
        check_room(args.gib, args.reserve)
    surveys = [_survey(name, args) for name in args.configs]
    entries, rows = [], []
    for survey in surveys:
        batches = args.gib is not None
        peaks = survey.largest_batches(args.gib, args.reserve) if batches else survey.peaks()
        found = [(report.column(s), p) for s, p in zip(survey.settings, peaks, strict=True)]
        entries += [report.as_json(survey.name, peak) for peak in peaks if peak is not None]
        rows.append((survey.name, [(head, _cell(peak, batches)) for head, peak in found]))
        if not args.markdown:
            for head, peak in found:
                _print(survey.name, head, peak, args)
    print(report.markdown(rows) if args.markdown else report.NOTE.format(objects=args.objects))
    if args.json:
        report.write_json(args.json, entries)


def _survey(name: str, args: argparse.Namespace) -> Survey:
    if args.size is not None and len(args.size) > 2:
        raise ValueError(f'--size takes a side, or height and width, got {args.size}')
    size = args.size and (args.size[0], args.size[-1])
    options = args.cfg_options
    return Survey(
        *(name, options, args.precision, args.lean, args.batch_size, size), objects=args.objects
    )


def _cell(peak: report.Peak | None, batches: bool) -> str:
    if batches:
        return str(peak.setting.batch_size if peak else 0)
    return '' if peak is None else f'{peak.total / report.GIB:.2f}'


def _print(name: str, head: str, peak: report.Peak | None, args: argparse.Namespace) -> None:
    room = f'{args.gib} GiB less {args.reserve} GiB in reserve'
    if args.gib is not None:
        count = peak.setting.batch_size if peak else 'no'
        print(f'{name}, {head}: {count} images a step fit into {room}')
    if peak is not None:
        print(report.parts_table(name, peak), end='\n\n')


if __name__ == '__main__':
    sys.exit(run(main, parser()))
