"""mmengine's own loaders from `import effnet_dense` on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.runner import CheckpointLoader

from tests.helpers.forked import finish_forked
from tests.helpers.hostile import running
from tests.helpers.server import content, serving
from tests.helpers.tool import REPOSITORY, environment

FIRST = 'import effnet_dense\nfrom mmengine.runner import CheckpointLoader\n'
# Without this package mmengine's own loader refuses it.
LAST = """
import sys
from mmengine.runner import CheckpointLoader
try:
    CheckpointLoader.load_checkpoint(sys.argv[1], 'cpu')
except Exception as error:
    print(type(error).__name__, 'HistoryBuffer' in str(error))
import effnet_dense
"""
LOAD = """
import sys
checkpoint = CheckpointLoader.load_checkpoint(sys.argv[1], 'cpu')
print(checkpoint['message_hub']['log_scalars']['train/loss'].current())
"""


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A checkpoint as mmengine writes it."""
    hub = MessageHub.get_instance('test_safe_defaults')
    hub.update_scalar('train/loss', 2.5)
    hub.update_info('best', np.float64(0.25))
    path = tmp_path / 'epoch_1.pth'
    state = {'state_dict': {'w': torch.ones(2)}, 'message_hub': hub.state_dict(), 'meta': {}}
    torch.save(state, path)
    return path


def run(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, '-c', code, *map(str, words)]
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
        encoding='utf-8',
        errors='replace',
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ('imports', 'before'), [(FIRST, False), (LAST, True)], ids=['first', 'last']
)
def test_its_own_training_state_is_read(imports: str, before: bool, trained: Path) -> None:
    """Whichever is imported first; without this package it is not."""
    done = run(imports + LOAD, trained)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == '2.5'
    assert ('UnpicklingError True' in lines) == before
    assert 'by local backend' in done.stdout + done.stderr


def test_nothing_else_is_replaced() -> None:
    """Object storages and the hubs keep mmengine's functions."""
    names = {
        's3://b/x': 'load_from_ceph',
        'cluster:s3://b/x': 'load_from_ceph',
        'petrel://b/x': 'load_from_ceph',
        'pavi://x': 'load_from_pavi',
        'http://x/y.pth': 'load_from_http',
        'https://x/y.pth': 'load_from_http',
        'torchvision://resnet50': 'load_from_torchvision',
        'openmmlab://x': 'load_from_openmmlab',
        'mmcls://x': 'load_from_mmcls',
    }
    for path, name in names.items():
        loader: Any = CheckpointLoader._get_checkpoint_loader(path)
        assert (loader.__name__, loader.__module__) == (name, 'mmengine.runner.checkpoint')


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))


def test_downloads_without_a_hash_are_read(trained: Path, hub: None) -> None:
    with serving(content(trained.read_bytes())) as address:
        checkpoint = CheckpointLoader.load_checkpoint(f'http://{address}/epoch_1.pth', 'cpu')
    assert checkpoint['message_hub']['log_scalars']['train/loss'].current() == 2.5


@pytest.mark.parametrize('remote', [False, True])
def test_no_checkpoint_runs_code(remote: bool, tmp_path: Path, hub: None) -> None:
    path, canary = tmp_path / 'evil.pth', tmp_path / 'canary'
    running('mkdir', 'meta')(path, canary)
    with serving(content(path.read_bytes())) as address:
        source = f'http://{address}/evil.pth' if remote else str(path)
        with pytest.raises(ValueError, match=r'evil\.pth is not a safe checkpoint.*mkdir'):
            CheckpointLoader.load_checkpoint(source, 'cpu')
    assert not canary.exists()


class Foreign:
    """A class of somebody else's."""


def test_foreign_classes_are_read_if_they_are_allowed(tmp_path: Path, hub: None) -> None:
    torch.save({'x': Foreign()}, tmp_path / 'x.pth')
    with serving(content((tmp_path / 'x.pth').read_bytes())) as address:
        sources = (str(tmp_path / 'x.pth'), f'http://{address}/x.pth')
        for source in sources:
            with pytest.raises(ValueError, match=r'requests tests.*Foreign'):
                CheckpointLoader.load_checkpoint(source)
            with torch.serialization.safe_globals([Foreign]):
                assert isinstance(CheckpointLoader.load_checkpoint(source)['x'], Foreign)


def test_devices(trained: Path) -> None:
    for where in (None, 'cpu', torch.device('cpu'), lambda storage, location: storage):
        state = CheckpointLoader.load_checkpoint(str(trained), where)['state_dict']
        assert state['w'].device.type == 'cpu'
    meta = CheckpointLoader.load_checkpoint(str(trained), 'meta')
    assert meta['state_dict']['w'].is_meta


@pytest.mark.slow
def test_stock_runners_resume(tmp_path: Path) -> None:
    """mmengine's own runner goes on from its own checkpoint (mmengine#1655)."""
    (tmp_path / 'train.py').write_text(STOCK, encoding='utf-8')
    for words in ((), ('resume',)):
        finish_forked(tmp_path / 'log', tmp_path / 'train.py', *words, folder=tmp_path)
    assert (tmp_path / 'run' / 'epoch_2.pth').is_file()


STOCK = """
import sys
import effnet_dense
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
    def forward(self, x, mode):
        return dict(loss=self.layer(x).sum())

resume = len(sys.argv) > 1
Runner(
    Model(), 'run', train_dataloader=dict(
        dataset=[dict(x=torch.ones(1))] * 2, batch_size=1, num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True), collate_fn=dict(type='default_collate')),
    train_cfg=dict(by_epoch=True, max_epochs=1 + resume),
    optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), resume=resume,
    default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
).train()
"""
