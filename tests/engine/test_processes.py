"""The variables that launchers leave, and a process group from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch.distributed as dist

from effnet_dense.engine.processes import LAUNCHER_VARIABLES, export_variables, start_gloo
from tests.helpers.tool import environment

ALONE = {'RANK': '0', 'WORLD_SIZE': '1', 'LOCAL_RANK': '0', 'MASTER_ADDR': '127.0.0.1'}


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any launcher's variables, with a free port."""
    for variables in LAUNCHER_VARIABLES.values():
        for name in (*variables, *variables.values()):
            monkeypatch.setenv(name, 'x')  # so that it is restored afterwards
            monkeypatch.delenv(name)
    monkeypatch.setenv('MASTER_PORT', environment()['MASTER_PORT'])
    return monkeypatch


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm', 'mpi'])
def test_one_process_of_each_launcher(
    launcher: str, launched: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, source in LAUNCHER_VARIABLES[launcher].items():
        if source != 'MASTER_PORT':
            launched.setenv(source, ALONE[name])
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text(
        '#!/bin/sh\n[ "$*" = "show hostnames node[1-2]" ] && echo 127.0.0.1\n', encoding='utf-8'
    )
    scontrol.chmod(0o755)
    launched.setenv('PATH', f'{tmp_path}:{os.environ["PATH"]}')
    launched.setenv('SLURM_NODELIST', 'node[1-2]')

    export_variables(launcher)
    start_gloo(launcher, timeout=60)
    try:
        assert dist.get_backend() == 'gloo'
        assert (dist.get_rank(), dist.get_world_size()) == (0, 1)
        assert os.environ['LOCAL_RANK'] == '0'
    finally:
        dist.destroy_process_group()


def test_a_launcher_that_did_not_start_us(launched: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r'expects .*RANK, WORLD_SIZE.*tools/dist_train\.sh'):
        export_variables('pytorch')


def test_an_unknown_launcher() -> None:
    with pytest.raises(ValueError, match=r"none, pytorch, slurm or mpi, got 'pbs'"):
        export_variables('pbs')
