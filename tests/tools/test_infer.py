"""tools/infer.py: what it refuses before a model is built."""

from __future__ import annotations

import pytest

from tests.helpers.tool import call


@pytest.mark.parametrize('score', ['30', '-0.1', 'nan', 'inf', 'x', ''])
def test_scores_are_from_0_to_1(score: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ('effnet_lite0_retinanet_finetune', 'x.pth', 'y', '--out', 'z')
    with pytest.raises(SystemExit, match='2'):
        call('infer', *words, f'--score-thr={score}')
    shown = capsys.readouterr().err
    assert f'--score-thr: expected a number from 0 to 1, got {score!r}' in shown


@pytest.mark.parametrize(('tool', 'option'), [('infer', '--batch-size'), ('browse', '--number')])
def test_counts_are_at_least_1(tool: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ('x.pth', 'y', '--out', 'z') if tool == 'infer' else ()
    name = {'browse': 'browse_dataset'}.get(tool, tool)
    with pytest.raises(SystemExit, match='2'):
        call(name, 'effnet_lite0_retinanet_finetune', *words, option, 0)
    assert f"{option}: expected a whole number, at least 1, got '0'" in capsys.readouterr().err
