"""Several processes, of which one dies, over gloo on one machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.weights.safe import safe_load
from tests.helpers import resumable
from tests.helpers.launched import start_launched
from tests.helpers.tiny import write_data
from tests.helpers.tool import environment

STEPS = 4
"""Two epochs of two steps of two images in each of two processes."""


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp('eight'), train=8)


def write_config(data: Path, work_dir: Path, *hooks: dict[str, Any]) -> Path:
    """A complete config in a file, with a checkpoint after each step."""
    changes = {
        'train_cfg.max_epochs': 2,
        'train_cfg.val_interval': 99,
        'default_hooks.checkpoint.by_epoch': False,
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.checkpoint.max_keep_ckpts': STEPS,
        'custom_hooks': [*resumable.SMALL['custom_hooks'], *hooks],
    }
    config = resumable.config(data, work_dir, **changes)
    config.custom_imports = dict(imports=['effnet_dense', 'tests.helpers.fault_hooks'])
    path = work_dir.with_suffix('.py')
    config.dump(path)
    return path


def train(data: Path, work_dir: Path, *hooks: dict[str, Any], **variables: str) -> str:
    config = write_config(data, work_dir, *hooks)
    words = ['dist_train.sh', config, 2, '--work-dir', work_dir, '--resume']
    log = work_dir.with_suffix('.log')
    status = start_launched(log, *words, CUDA_VISIBLE_DEVICES='', **variables).wait(timeout=300)
    assert status == 0, log.read_text(encoding='utf-8')[-4000:]
    return log.read_text(encoding='utf-8')


@pytest.mark.slow
def test_starts_again_where_a_process_died(data: Path, tmp_path: Path) -> None:
    """And ends with the uninterrupted run's bits: both processes' random states are restored."""
    train(data, tmp_path / 'whole')
    died = dict(type='DieOnceHook', after=3)
    train(data, tmp_path / 'died', died, MAX_RESTARTS='1')
    logs = sorted((tmp_path / 'died').glob('*/*.log'))
    output = ''.join(path.read_text(encoding='utf-8') for path in logs)
    assert (tmp_path / 'died' / 'died').exists()
    # The first process may have died with the other before it had written its last checkpoint.
    assert re.search(r'resumed epoch: [01], iter: [23]', output)
    ends = [
        resumable.end_state(tmp_path / name / f'iter_{STEPS}.pth') for name in ('whole', 'died')
    ]
    assert resumable.differences(*ends) == []
    progress = safe_load(tmp_path / 'died' / f'iter_{STEPS}.pth')['meta']['progress']
    assert len(progress['random']) == 2


@pytest.mark.slow
def test_two_machines_skip_the_same_step(data: Path, tmp_path: Path) -> None:
    """Two agents stand for them; the second one's image is NaN, and both must skip."""
    work_dir = tmp_path / 'run'
    config = write_config(data, work_dir, dict(type='PoisonLastHook', iteration=2))
    port = environment()['MASTER_PORT']
    agents = [
        start_launched(
            tmp_path / f'log{node}',
            *('dist_train.sh', config, 1, '--work-dir', work_dir),
            **dict(NNODES='2', NODE_RANK=str(node), MASTER_ADDR='127.0.0.1', PORT=port),
            CUDA_VISIBLE_DEVICES='',
        )
        for node in (0, 1)
    ]
    statuses = [agent.wait(timeout=240) for agent in agents]
    output = [(tmp_path / f'log{node}').read_text(encoding='utf-8') for node in (0, 1)]
    assert statuses == [0, 0], output[0][-3000:] + output[1][-3000:]
    assert 'iteration 2: the loss is not finite' in output[0], 'the first had a finite one'
    one, two = (safe_load(work_dir / f'iter_{step}.pth')['ema_state_dict'] for step in (1, 2))
    own = [k for k in one if k.startswith('module.')]
    moved = [k for k in own if not (one[k] == two[k]).all()]
    assert moved == [], 'EMA keeps the trained weights here; a skipped step moves none'
    assert safe_load(work_dir / f'iter_{STEPS}.pth')['meta']['iter'] == STEPS
