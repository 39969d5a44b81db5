"""Progress bars in terminals only."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from rich.progress import TextColumn

from effnet_dense.utils import progress
from effnet_dense.utils.progress import progress_bar, track


def shown(terminal: bool) -> str:
    screen = StringIO()
    console = Console(file=screen, force_terminal=terminal, width=100, color_system=None)
    note = TextColumn('{task.fields[note]}')
    with progress_bar(note, console=console) as progress:
        task = progress.add_task('a [b]', total=4, note='loss 1')
        progress.advance(task, 3)
    return screen.getvalue()


def test_count_time_and_note_in_a_terminal() -> None:
    lines = shown(terminal=True).replace('\r', '\n').splitlines()
    bar = next(line for line in reversed(lines) if 'a [b]' in line)
    assert '3/4' in bar and 'left' in bar and 'loss 1' in bar


def test_nothing_in_a_log_file() -> None:
    assert shown(terminal=False).strip() == ''


def test_track_yields_everything_and_prints_nothing_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(track('abc', 'reading')) == ['a', 'b', 'c']
    assert list(track(iter(range(3)), 'reading', total=3)) == [0, 1, 2]
    assert capsys.readouterr().out == ''


def test_bars_in_an_activity_share_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two live displays on one terminal would overwrite each other."""
    made = []
    real = progress.progress_bar

    def counted(*columns: Any, **options: Any) -> Any:
        made.append(real(*columns, **options))
        return made[-1]

    monkeypatch.setattr(progress, 'progress_bar', counted)
    with progress.activity('Checking a'):
        for _ in track(range(2), 'masks'):
            assert [task.description for task in made[0].tasks] == ['Checking a', 'masks']
        assert [task.description for task in made[0].tasks] == ['Checking a']
    assert len(made) == 1 and not made[0].tasks
    with pytest.raises(KeyError), progress.activity('Checking b'):
        raise KeyError('b')
    list(track('ab', 'later'))
    assert len(made) == 3, 'a new place after the old one'
