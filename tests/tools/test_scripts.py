"""The launch scripts: what they ask torchrun and srun for."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from effnet_dense.commands.config_arguments import config_of
from effnet_dense.commands.setting_arguments import ALL, settings_of
from effnet_dense.commands.train import parser
from effnet_dense.engine.checks.loading import loading_warnings
from tests.helpers.tool import REPOSITORY, environment


def launch(folder: Path, program: str, script: str, *words: str, **variables: str) -> list[str]:
    """The arguments that a script gives to a program, which a fake one prints."""
    fake = folder / program
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n', encoding='utf-8')
    fake.chmod(0o755)
    path = f'{folder}:{environment()["PATH"]}'
    done = subprocess.run(
        ['bash', f'tools/{script}', *words],
        cwd=REPOSITORY,
        env=environment(**variables, PATH=path),
        capture_output=True,
        text=True,
        check=True,
        encoding='utf-8',
        errors='replace',
    )
    return done.stdout.splitlines()


def test_dist_train_over_two_machines(tmp_path: Path) -> None:
    words = ['some.py', '4', '--cfg-options', 'a=(1, 2)']
    variables = dict(NNODES='2', NODE_RANK='1', MASTER_ADDR='host', MASTER_PORT='1234')
    asked = launch(tmp_path, 'torchrun', 'dist_train.sh', *words, **variables)
    assert asked == [
        *('--nnodes=2', '--node-rank=1', '--nproc-per-node=4'),
        *('--master-addr=host', '--master-port=1234', 'tools/train.py', 'some.py'),
        *('--launcher', 'pytorch', '--cfg-options', 'a=(1, 2)'),
    ]


def test_dist_train_starts_again(tmp_path: Path) -> None:
    one = launch(tmp_path, 'torchrun', 'dist_train.sh', 'some.py', '2', MAX_RESTARTS='3', PORT='77')
    assert one[3:6] == ['--max-restarts=3', '--rdzv-backend=c10d', '--rdzv-endpoint=127.0.0.1:77']
    variables = dict(MAX_RESTARTS='3', PORT='77', NNODES='2', NODE_RANK='1', MASTER_ADDR='host')
    two = launch(tmp_path, 'torchrun', 'dist_train.sh', 'some.py', '2', **variables)
    assert two[3:6] == ['--max-restarts=3', '--rdzv-backend=c10d', '--rdzv-endpoint=host:77']
    assert two[6:8] == ['--rdzv-id=effnet_dense_77', '--rdzv-conf=is_host=0']


def test_dist_test_on_one_machine(tmp_path: Path) -> None:
    asked = launch(tmp_path, 'torchrun', 'dist_test.sh', 'some.py', 'a.pth', '8', MASTER_PORT='1')
    assert asked == [
        *('--nnodes=1', '--node-rank=0', '--nproc-per-node=8'),
        *('--master-addr=127.0.0.1', '--master-port=1', 'tools/test.py', 'some.py', 'a.pth'),
        *('--launcher', 'pytorch'),
    ]


def test_slurm_train(tmp_path: Path) -> None:
    words = ['gpus', 'a job', 'some.py', '--amp']
    variables = dict(GPUS='16', SRUN_ARGS='--time=1 --quiet')
    asked = launch(tmp_path, 'srun', 'slurm_train.sh', *words, **variables)
    assert asked == [
        *('--partition=gpus', '--job-name=a job', '--ntasks=16', '--ntasks-per-node=8'),
        *('--gres=gpu:8', '--cpus-per-task=5', '--kill-on-bad-exit=1', '--time=1', '--quiet'),
        *('python', '-u', 'tools/train.py', 'some.py', '--launcher', 'slurm', '--amp'),
    ]


@pytest.mark.parametrize('script', ['demo.sh', 'dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
def test_usage(script: str) -> None:
    done = subprocess.run(
        ['bash', f'tools/{script}', 'one'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        encoding='utf-8',
        errors='replace',
    )
    assert done.returncode == 2
    assert f'bash tools/{script} ' in done.stderr


def test_the_demos_first_training_warns_of_nothing() -> None:
    """Its flags change all places that belong together."""
    text = Path(REPOSITORY, 'tools', 'demo.sh').read_text(encoding='utf-8').replace('\\\n', ' ')
    (line,) = (line for line in text.splitlines() if 'effnet_b3_retinanet_coco.py' in line)
    args = parser().parse_args(shlex.split(line)[2:])
    args.data = None  # the config's own is not read
    config = config_of(args, settings=settings_of(args, ALL))
    assert loading_warnings(config) == []
    (schedule,) = (part for part in config.param_scheduler if part.get('by_epoch', True))
    assert schedule.end == config.train_cfg.max_epochs == 1
    assert config.auto_scale_lr.base_batch_size == config.train_dataloader.batch_size == 2
