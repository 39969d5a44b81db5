"""Findings of dataset checks: kinds of faults with counts and examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from effnet_dense.utils.controls import escape_controls

Severity = Literal['error', 'warning', 'note']
SEVERITIES: tuple[Severity, ...] = ('error', 'warning', 'note')
"""The most severe first."""

EXAMPLES = 3
"""Number of faulty records quoted for each kind."""


@dataclass(frozen=True)
class Finding:
    """One kind of fault in a split: how often it occurs, and the first examples."""

    severity: Severity
    what: str
    count: int
    examples: tuple[str, ...] = ()
    missing_files: bool = False

    def __str__(self) -> str:
        examples = ', '.join(escape_controls(example, lines=False) for example in self.examples)
        quoted = f': {examples}' if examples else ''
        more = ', …' if self.examples and self.count > len(self.examples) else ''
        return f'{self.severity}: {self.count} × {self.what}{quoted}{more}'


class Report(Protocol):
    """Report on a split; `str()` formats it for the user."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Faults that must not reach training."""


def list_finding(
    severity: Severity, what: str, examples: Sequence[str], missing_files: bool = False
) -> list[Finding]:
    """Summarise examples as one finding; an empty list without examples."""
    if not examples:
        return []
    return [Finding(severity, what, len(examples), tuple(examples[:EXAMPLES]), missing_files)]


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings: errors first, then warnings, then notes."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def errors_of(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Select the findings that must not reach training."""
    return tuple(finding for finding in findings if finding.severity == 'error')


def raise_errors(
    root: Path,
    reports: Mapping[str, Report],
    more: Sequence[str] = (),
    hint: str = '',
    notes: Sequence[str] = (),
) -> None:
    """Raise if a split has errors, or if there are `more` that concern all splits.

    Args:
        root: The dataset's folder.
        reports: Split → its report.
        more: Errors of the dataset as a whole, one line each.
        hint: What the user can do about errors other than missing files.
        notes: What else is known about the errors, one line each.

    Raises:
        FileNotFoundError: Files are missing, and nothing else is wrong.
        ValueError: Anything else; the message lists all findings.
    """
    errors = [finding for report in reports.values() for finding in report.errors]
    if not errors and not more:
        return
    lines = [f'the dataset in {root} cannot be used:', *map(str, reports.values()), *more, *notes]
    if not more and all(finding.missing_files for finding in errors):
        raise FileNotFoundError('\n'.join(lines))
    raise ValueError('\n'.join([*lines, hint] if hint else lines))


def duplicates(values: Iterable[Any]) -> list[str]:
    """Describe the values that occur more than once, with their counts."""
    return [f'{value!r} ({n} times)' for value, n in Counter(values).items() if n > 1]


def json_type(value: object) -> str:
    """Name a value's type in JSON, with its article."""
    names: dict[type, str] = {dict: 'an object', list: 'a list', str: 'a string', bool: 'a boolean'}
    return 'null' if value is None else names.get(type(value), 'a number')
