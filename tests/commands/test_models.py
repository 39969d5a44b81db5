"""`effnet-dense models`: the table, JSON, and a pattern that matches nothing."""

from __future__ import annotations

import json

import pytest

from effnet_dense.api.models import TASKS as ALL_TASKS
from effnet_dense.commands.main import main
from effnet_dense.commands.models import TASKS, short


def test_tasks() -> None:
    assert TASKS == ALL_TASKS


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['models', 'rcnn_finetune']) == 0
    shown = capsys.readouterr().out
    (row,) = (line for line in shown.splitlines() if 'effnet_lite0_mask_rcnn_finetune' in line)
    for text in ('instance', '320', '6.68', '2.20 *', 'Penn-Fudan', 'pypi://efficientnet_lite0'):
        assert text in row
    assert 'M: 10⁶ parameters' in shown


def test_a_narrow_terminal_has_the_first_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('effnet_dense.commands.models._is_wide', lambda: False)
    assert main(['models', 'v2_xl']) == 0
    shown = capsys.readouterr().out
    assert 'ImageNet top-1 87.2' in shown and 'timm' not in shown and '--json' in shown


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['models', '--task', 'segmentation', '*camvid', '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert [model['name'] for model in found] == [
        'effnet_lite0_bifpn_camvid',
        'effnet_lite0_fpn_camvid',
    ]
    assert found[1]['figures'] == [
        dict(metric='mIoU', value=69.6, dataset='CamVid', source='trained here')
    ]
    assert found[1]['input_size'] == [320, 416]


@pytest.mark.parametrize(
    ('pattern', 'hint'),
    [('effnet_lite0_retina_finetune', 'effnet_lite0_retinanet_finetune'), ('§', 'lists all')],
)
def test_no_match(pattern: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['models', pattern]) == 2
    assert hint in capsys.readouterr().err


def test_three_digits() -> None:
    assert [short(x) for x in (0.961, 8.7748, 9.996, 99.96, 133.09)] == [
        *('0.96', '8.77', '10.0', '100', '133'),
    ]
