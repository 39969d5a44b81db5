"""Format a comparison as tables: on the console and in Markdown."""

from __future__ import annotations

from benchmarks.acceptance import Result
from benchmarks.comparison import Comparison, Row
from effnet_dense.analysis.settings import Settings
from effnet_dense.utils.console import print_table
from effnet_dense.utils.markdown import markdown_table

EMPTY = '–'
ALIGN = 'lr'
TARGET_COLUMNS = ['target', 'against', 'measured', 'at most', 'verdict']


def columns(comparison: Comparison) -> list[str]:
    """Return the columns' names, only of what was measured."""
    names = ['network', 'format', 'parameters', *_exact_columns(comparison)]
    for metric in comparison.metrics():
        names += [f'{metric} ms/img', 'ratio']
    return names


def cells(comparison: Comparison, row: Row) -> list[str]:
    """Return a row's texts, one for each column."""
    texts = [row.name, row.memory_format, f'{row.parameters:,}']
    for name, digits in _exact_columns(comparison).values():
        texts.append(_format_number(getattr(row, name), digits))
    for metric in comparison.metrics():
        times = row.times(metric)
        texts.append(_format_number(min(times), 1) if times else EMPTY)
        texts.append(f'{comparison.ratio(row, metric):.2f}' if times else EMPTY)
    return texts


def _exact_columns(comparison: Comparison) -> dict[str, tuple[str, int]]:
    """Return the columns that are not times: name → a row's attribute and its digits."""
    known = {'GFLOPs': ('gflops', 2), 'saved MiB/img': ('saved', 1), 'peak MiB': ('peak', 0)}
    return {
        title: (name, digits)
        for title, (name, digits) in known.items()
        if any(getattr(row, name) is not None for row in comparison.rows)
    }


def notes(comparison: Comparison) -> list[str]:
    """Return the conditions and ceilings, as sentences below the table."""
    settings, machine, ceilings = comparison.settings, comparison.machine, comparison.ceilings
    lines = [
        f'{settings.size}², batch {settings.batch}, {settings.precision}, '
        f'{machine["processor"]}, {machine["threads"]} threads, torch '
        f'{machine["versions"]["torch"]}. Times are the best of {settings.repeats} interleaved '
        f'rounds, ratios medians of the rounds, to {comparison.reference.name}. GFLOPs count '
        'multiply-adds. The peak is of a batch, with gradients.' + _on_gpu(settings),
        f'Ceilings of this run: matrix product {ceilings.gflops:.0f} GFLOP/s, copy '
        f'{ceilings.copy_gb:.1f} GB/s. At these speeds: {_floors(comparison)}.',
        *_returned(comparison),
    ]
    return lines + [
        f'Not available: {peer.ecosystem} ({peer.reason}).' for peer in comparison.unavailable
    ]


def _on_gpu(settings: Settings) -> str:
    if not settings.on_cuda:
        return ''
    products = 'TF32' if settings.tf32 else 'full float32'
    return f' cuDNN has tried all algorithms; float32 is {products}. Steps run back to back.'


def _floors(comparison: Comparison) -> str:
    reference = comparison.reference
    parts = []
    for metric in comparison.metrics():
        floor = comparison.floor(metric)
        if floor is not None:
            parts.append(f'arithmetic of {reference.name}, {metric}: {floor:.1f} ms/img')
    copy = comparison.copy_ms(reference)
    if copy is not None:
        parts.append(f'writing and reading what it saves: {copy:.1f} ms/img')
    return '; '.join(parts) or 'nothing to compare'


def _returned(comparison: Comparison) -> list[str]:
    by_text: dict[str, list[str]] = {}
    for row in comparison.rows:
        by_text.setdefault(row.returns, []).append(row.name)
    return [f'Returned: {text} ({", ".join(names)}).' for text, names in by_text.items()]


def _format_number(value: float | None, digits: int) -> str:
    return EMPTY if value is None else f'{value:.{digits}f}'


def comparison_section(comparison: Comparison) -> str:
    """Return the comparison as a section in Markdown."""
    rows = [cells(comparison, row) for row in comparison.rows]
    table = markdown_table(columns(comparison), rows, ALIGN)
    return f'## {comparison.title}\n\n{table}\n\n' + '\n\n'.join(notes(comparison)) + '\n'


def print_comparison(comparison: Comparison) -> None:
    """Print the table and the notes."""
    rows = [cells(comparison, row) for row in comparison.rows]
    print_table(comparison.title, columns(comparison), rows, ALIGN)
    for note in notes(comparison):
        print(note)


def target_cells(result: Result) -> list[str]:
    """Return a target's texts for `TARGET_COLUMNS`."""
    target, unit = result.target, '' if result.target.against else ' MiB'
    titles = {'saved': 'saved', 'step': 'training step', 'inference 1': 'inference, batch 1'}
    measured = _format_number(result.value, 2 if target.against else 1)
    return [
        f'{target.row}: {titles[target.metric]}',
        target.against or EMPTY,
        measured if result.value is None else measured + unit,
        f'{target.limit:.2f}' if target.against else f'{target.limit:.0f}{unit}',
        result.verdict,
    ]


def targets_section(results: list[Result]) -> str:
    """Return all targets as a section in Markdown."""
    table = markdown_table(TARGET_COLUMNS, [target_cells(result) for result in results], ALIGN)
    return f'## Targets\n\n{table}\n'


def print_targets(results: list[Result]) -> None:
    """Print the table of targets."""
    print_table('Targets', TARGET_COLUMNS, [target_cells(result) for result in results], ALIGN)
