"""Predict the peak memory of training a config on a GPU, without one.

python tools/memory.py configs/efficientdet_d0_coco.py --batch-size 4 --lean 0 1 2
python tools/memory.py configs/effnet_b3_retinanet_coco.py --precision bf16 --gib 24
"""

from __future__ import annotations

import argparse
import json

from effnet_dense.analysis.memory import tables
from effnet_dense.analysis.memory.batch import OBJECTS
from effnet_dense.analysis.memory.config_forecast import RESERVE, ConfigForecast, check_capacity
from effnet_dense.analysis.memory.peak import Peak
from effnet_dense.engine.command import Options, given_path, output_file
from effnet_dense.utils.markdown import markdown_table
from effnet_dense.utils.outputs import check_free, write_output


def parser() -> argparse.ArgumentParser:
    """Return the command line's arguments."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = arguments.add_argument
    add(
        'configs',
        nargs='+',
        type=given_path,
        metavar='CONFIG',
        help='config files, or names of shipped ones',
    )
    add('--batch-size', type=int, metavar='N', help="images per step; default: the config's")
    add('--size', type=int, nargs='+', metavar='PX', help="side, or height and width; the config's")
    add('--precision', nargs='+', default=[None], metavar='P', help='fp32, bf16, fp16')
    add('--lean', type=int, nargs='+', default=[None], metavar='L', help='0, 1, 2')
    add('--objects', type=int, default=OBJECTS, metavar='N', help='per image, for detectors')
    add('--gib', type=float, metavar='N', help='find the largest batch for a GPU of N GiB')
    add('--reserve', type=float, default=RESERVE, metavar='N', help='GiB left for CUDA and cuDNN')
    add('--json', type=output_file, metavar='FILE', help='write the figures, in bytes')
    add('--markdown', action='store_true', help='one row per config, one column per setup')
    add('--cfg-options', nargs='+', action=Options, metavar='KEY=VALUE', help='change the config')
    add('--debug', action='store_true', help="show an error's traceback, not only its message")
    return arguments


def main(args: argparse.Namespace) -> None:
    """Predict the peaks that the command line requests."""
    check_free([args.json] if args.json else [])
    if args.gib is not None:
        check_capacity(args.gib, args.reserve)
    entries, rows = [], []
    forecasts = [_forecast(name, args) for name in args.configs]
    for forecast in forecasts:
        peaks = _predict(forecast, args)
        entries += [tables.as_dict(forecast.name, peak) for peak in peaks if peak is not None]
        rows.append([forecast.name, *(_cell(peak, args) for peak in peaks)])
        if not args.markdown:
            _print_peaks(forecast, peaks, args)
    if args.markdown:
        headings = [tables.column_heading(setup) for setup in forecasts[0].setups]
        print(markdown_table(['config', *headings], rows))
    else:
        print(tables.NOTE.format(objects=args.objects))
    if args.json:
        write_output(args.json, json.dumps(entries, indent=2) + '\n')


def _forecast(name: str, args: argparse.Namespace) -> ConfigForecast:
    if args.size is not None and len(args.size) > 2:
        raise ValueError(f'--size takes a side, or height and width, got {args.size}')
    return ConfigForecast(
        name,
        args.cfg_options,
        args.precision,
        args.lean,
        args.batch_size,
        args.size and (args.size[0], args.size[-1]),
        objects=args.objects,
    )


def _predict(forecast: ConfigForecast, args: argparse.Namespace) -> list[Peak | None]:
    if args.gib is None:
        return [*forecast.peaks()]
    return forecast.largest_batches(args.gib, args.reserve)


def _cell(peak: Peak | None, args: argparse.Namespace) -> str:
    if args.gib is not None:
        return str(peak.setup.batch_size if peak else 0)
    return '' if peak is None else f'{peak.total / tables.GIB:.2f}'


def _print_peaks(
    forecast: ConfigForecast, peaks: list[Peak | None], args: argparse.Namespace
) -> None:
    for setup, peak in zip(forecast.setups, peaks, strict=True):
        if args.gib is not None:
            count = peak.setup.batch_size if peak else 'no'
            print(
                f'{forecast.name}, {tables.column_heading(setup)}: {count} images per step fit '
                f'into {args.gib} GiB less {args.reserve} GiB in reserve'
            )
        if peak is not None:
            print(tables.format_parts(forecast.name, peak), end='\n\n')
