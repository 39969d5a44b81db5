"""Predict and print the peaks that a command line requests."""

from __future__ import annotations

import argparse
import json

from effnet_dense.analysis.memory import tables
from effnet_dense.analysis.memory.config_forecast import ConfigForecast, check_capacity
from effnet_dense.analysis.memory.peak import Peak
from effnet_dense.utils.counted import counted
from effnet_dense.utils.markdown import markdown_table
from effnet_dense.utils.outputs import check_free, write_output


def predict_peaks(args: argparse.Namespace) -> None:
    """Predict the peaks that the arguments of `commands/memory.py` request."""
    check_free([args.json] if args.json else [])
    if args.gib is not None:
        check_capacity(args.gib, args.reserve)
    entries, rows = [], []
    forecasts = [_forecast(name, args) for name in args.configs]
    for forecast in forecasts:
        peaks = _predict(forecast, args)
        found = [tables.as_dict(forecast.name, peak) for peak in peaks if peak is not None]
        entries += [{**entry, 'device': args.device} for entry in found]
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
        args.device == 'cuda',
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
            count = peak.setup.batch_size if peak else 0
            fit = counted(count or 'no', 'image per step fits', 'images per step fit')
            print(
                f'{forecast.name}, {tables.column_heading(setup)}: {fit} '
                f'into {args.gib} GiB less {args.reserve} GiB in reserve'
            )
        if peak is not None:
            print(tables.format_parts(forecast.name, peak), end='\n\n')
