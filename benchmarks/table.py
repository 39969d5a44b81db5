"""A report as rows of text: on the console and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.acceptance import Result
from benchmarks.report import Report, Row

EMPTY = '–'
WIDTH = 150  # where the output is not a terminal


def columns(report: Report) -> list[str]:
    """The names of the columns: of what was measured."""
    names = ['network', 'format', 'parameters', *_exact(report)]
    for metric in report.metrics():
        names += [f'{metric} ms/img', 'ratio']
    return names


def cells(report: Report, row: Row) -> list[str]:
    """A row's text, one for each column."""
    texts = [row.name, row.memory_format, f'{row.parameters:,}']
    texts += [_number(getattr(row, name), digits) for name, digits in _exact(report).values()]
    for metric in report.metrics():
        times = row.times(metric)
        texts.append(_number(min(times), 1) if times else EMPTY)
        texts.append(f'{report.ratio(row, metric):.2f}' if times else EMPTY)
    return texts


def _exact(report: Report) -> dict[str, tuple[str, int]]:
    """Columns of what is no time: a row's attribute and its digits."""
    known = {'GFLOPs': ('gflops', 2), 'saved MiB/img': ('saved', 1), 'peak MiB': ('peak', 0)}
    return {
        title: (name, digits)
        for title, (name, digits) in known.items()
        if any(getattr(row, name) is not None for row in report.rows)
    }


def notes(report: Report) -> list[str]:
    """Conditions and ceilings, as sentences below the table."""
    settings, machine = report.settings, report.machine
    lines = [
        f'{settings.size}², batch {settings.batch}, {settings.precision}, '
        f'{machine["processor"]}, {machine["threads"]} threads, torch '
        f'{machine["versions"]["torch"]}. Times are the best of {settings.repeats} interleaved '
        f'rounds, ratios medians of the rounds, to {report.reference.name}. GFLOPs count '
        'multiply-adds. The peak is of a whole batch, with gradients.',
        f'Ceilings of this run: matrix product {report.ceilings.gflops:.0f} GFLOP/s, copy '
        f'{report.ceilings.copy_gb:.1f} GB/s. At these speeds: {_floors(report)}.',
        *_returned(report),
    ]
    return lines + [f'Absent: {one.ecosystem} ({one.reason}).' for one in report.absent]


def _floors(report: Report) -> str:
    reference = report.reference
    parts = []
    for metric in report.metrics():
        floor = report.floor(metric)
        if floor is not None:
            parts.append(f'arithmetic of {reference.name}, {metric}: {floor:.1f} ms/img')
    copy = report.copy_ms(reference)
    if copy is not None:
        parts.append(f'writing and reading what it saves: {copy:.1f} ms/img')
    return '; '.join(parts) or 'nothing to compare'


def _returned(report: Report) -> list[str]:
    by_text: dict[str, list[str]] = {}
    for row in report.rows:
        by_text.setdefault(row.returns, []).append(row.name)
    return [f'Returned: {text} ({", ".join(names)}).' for text, names in by_text.items()]


def _number(value: float | None, digits: int) -> str:
    return EMPTY if value is None else f'{value:.{digits}f}'


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of a table in Markdown, numbers to the right."""
    rule = ['---', *['---:'] * (len(header) - 1)]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in (header, rule, *rows))


def markdown(report: Report) -> str:
    """The report as a section."""
    table = markdown_table(columns(report), [cells(report, row) for row in report.rows])
    return f'## {report.title}\n\n{table}\n\n' + '\n\n'.join(notes(report)) + '\n'


def print_report(report: Report) -> None:
    """The table and the notes, on standard output."""
    print_table(report.title, columns(report), [cells(report, row) for row in report.rows])
    for note in notes(report):
        print(note)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on standard output, numbers to the right."""
    table = Table(title=title)
    for index, name in enumerate(header):
        table.add_column(name, justify='right' if index else 'left', no_wrap=not index)
    for row in rows:
        table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=WIDTH)).print(table)


def target_cells(result: Result) -> list[str]:
    """A target's text: what, against whom, measured, allowed, verdict."""
    target, unit = result.target, '' if result.target.against else ' MiB'
    what = {'saved': 'saved', 'step': 'training step', 'inference 1': 'inference, batch 1'}
    measured = _number(result.value, 2 if target.against else 1)
    return [
        f'{target.row}: {what[target.metric]}',
        target.against or EMPTY,
        measured if result.value is None else measured + unit,
        f'{target.limit:.2f}' if target.against else f'{target.limit:.0f}{unit}',
        result.verdict,
    ]


TARGET_COLUMNS = ['target', 'against', 'measured', 'at most', 'verdict']


def acceptance_markdown(results: Sequence[Result]) -> str:
    """All targets as a section."""
    table = markdown_table(TARGET_COLUMNS, [target_cells(result) for result in results])
    return f'## Targets\n\n{table}\n'
