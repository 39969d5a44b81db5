"""The arguments of `effnet-dense plan`; what it does is tested in tests/analysis/plan."""

from __future__ import annotations

import pytest

from effnet_dense.analysis.plan import facts
from effnet_dense.analysis.plan.candidate import Budget
from effnet_dense.commands import plan
from effnet_dense.commands.main import main
from effnet_dense.data import splitting


def test_constants_are_those_of_the_package() -> None:
    assert plan.TASKS == facts.TASKS
    assert Budget().minutes == plan.MINUTES
    assert splitting.VAL_SHARE == plan.VAL_SHARE


def test_arguments() -> None:
    words = ['DIR', '--minutes', '30', '--latency-ms', '50', '--on', 'cpu', '--task', 'semantic']
    args = plan.parser().parse_args(words)
    assert (args.data, args.minutes, args.latency_ms, args.on) == ('DIR', 30, 50, 'cpu')
    assert args.gib is None and args.out is None


def test_errors_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(['plan', 'no/such/folder', '--out', 'plan.txt']) == 2
    assert main(['plan', 'no/such/folder']) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith('error: ')] == [
        line for line in lines if not line.startswith('…')
    ]
    with pytest.raises(SystemExit):
        main(['plan', 'DIR', '--minutes', '0'])
