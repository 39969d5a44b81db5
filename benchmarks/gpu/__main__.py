"""Measure on a GPU what no other machine can show; results are written as they come.

python -m benchmarks.gpu --dry-run                    # on any machine, in a minute: does it work?
python -m benchmarks.gpu --out results                # all parts, each at most --limit seconds
python -m benchmarks.gpu profile train --limit 400    # only these
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

# By NVML: asking CUDA itself would make it unusable in forked processes.
os.environ.setdefault('PYTORCH_NVML_BASED_CUDA_CHECK', '1')

from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.page import NAME, cells, write_page
from benchmarks.gpu.parts import PARTS
from benchmarks.gpu.running import run_part
from benchmarks.tables import ALIGN
from effnet_dense.commands.program import run
from effnet_dense.utils.console import print_table

OUT, DRY_OUT = Path('work_dirs/gpu'), Path('work_dirs/gpu_dry_run')
LIMIT = 200.0  # seconds: nine parts in half an hour


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    arguments = argparse.ArgumentParser(
        prog='python -m benchmarks.gpu',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = arguments.add_argument
    add('parts', nargs='*', metavar='PART', help=f'some of {", ".join(PARTS)}; default: all')
    add('--out', type=Path, metavar='DIR', help=f'for the results; default: {OUT}, or {DRY_OUT}')
    add('--data', type=Path, metavar='DIR', help="for the trainings; default: the package's demo")
    add('--limit', type=float, default=LIMIT, metavar='SECONDS', help='of each part (%(default)s)')
    add('--dry-run', action='store_true', help='on the CPU, with tiny sizes')
    add('--debug', action='store_true', help="show an error's traceback")
    return arguments


def main(args: argparse.Namespace) -> None:
    """Run the parts one after the other, and write a page of what they have found.

    Raises:
        FileNotFoundError: There is no such data.
        ValueError: A part is unknown, or the limit is not positive.
    """
    unknown = [part for part in args.parts if part not in PARTS]
    if unknown:
        raise ValueError(f'expected some of the parts {", ".join(PARTS)}, got {unknown}')
    if args.limit <= 0:
        raise ValueError(f'--limit must be positive, got {args.limit}')
    if args.data is not None and not args.data.exists():
        raise FileNotFoundError(f'--data {args.data}: there is no such folder')
    out = args.out or (DRY_OUT if args.dry_run else OUT)
    conditions = Conditions(out.resolve(), args.dry_run, args.data, args.limit)
    if args.dry_run:
        for module in PARTS.values():
            importlib.import_module(module)  # once for all forked processes
    for part in args.parts or PARTS:
        record = run_part(part, conditions)
        write_page(conditions.out, PARTS, conditions.dry)
        print(f'{part}: {record.state}, {record.seconds:.0f} s', *record.notes, sep='\n  ')
        for title, rows in record.tables.items():
            print_table(title, *cells(rows), ALIGN)
    print(f'Written: {conditions.out / NAME}')


if __name__ == '__main__':
    sys.exit(run(main, parser()))
