"""Findings as lines, and reports that raise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from effnet_dense.data.findings import (
    Finding,
    by_severity,
    duplicates,
    errors_of,
    json_type,
    list_finding,
    raise_errors,
)

ROOT = Path('/set')


@dataclass
class Stub:
    findings: list[Finding]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return errors_of(self.findings)

    def __str__(self) -> str:
        return f'{len(self.findings)} findings'


def finding(severity: str = 'error', missing_files: bool = False) -> Finding:
    return Finding(severity, 'x', 1, missing_files=missing_files)  # type: ignore[arg-type]


def test_a_finding_quotes_its_first_examples() -> None:
    assert list_finding('note', 'class', []) == []
    (two,), (four,) = (list_finding('note', 'class', list(names)) for names in ('ab', 'abcd'))
    assert str(two) == 'note: 2 × class: a, b'
    assert str(four) == 'note: 4 × class: a, b, c, …'
    assert str(finding()) == 'error: 1 × x'


def test_errors_come_first() -> None:
    ordered = by_severity([finding('note'), finding('error'), finding('warning')])
    assert [f.severity for f in ordered] == ['error', 'warning', 'note']
    assert errors_of(ordered) == ordered[:1]


def test_reports_without_errors_pass() -> None:
    raise_errors(ROOT, {'train': Stub([finding('warning')]), 'val': Stub([])})


def test_only_missing_files_are_a_missing_file() -> None:
    missing = Stub([finding(missing_files=True)])
    with pytest.raises(FileNotFoundError, match=r'in /set cannot be used:\n1 findings$'):
        raise_errors(ROOT, {'train': missing}, hint='use less')
    with pytest.raises(ValueError, match=r'used:\n1 findings\n1 findings\nuse less$'):
        raise_errors(ROOT, {'train': missing, 'val': Stub([finding()])}, hint='use less')
    with pytest.raises(ValueError, match=r'used:\n1 findings\nclasses differ$'):
        raise_errors(ROOT, {'train': missing}, ['classes differ'])


def test_duplicates_and_types() -> None:
    assert duplicates(['a', 'b', 'a', 3]) == ["'a' (2 times)"]
    types = [json_type(value) for value in ({}, [], '', True, None, 1, 1.5)]
    assert types == [
        *('an object', 'a list', 'a string', 'a boolean', 'null', 'a number', 'a number'),
    ]
