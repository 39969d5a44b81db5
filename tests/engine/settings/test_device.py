"""Where a run computes."""

from __future__ import annotations

from pathlib import Path

import mmengine.runner.runner
import pytest
import torch
from mmengine.config import Config

from effnet_dense.engine import devices
from effnet_dense.engine.jobs import build_runner
from effnet_dense.engine.settings.device import set_device
from effnet_dense.settings import Settings
from tests.helpers.tiny import write_data
from tests.helpers.watched import tiny_config


def gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Pretend that there are GPUs."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: count > 0)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: count)


def test_the_cpu_of_a_machine_with_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mmengine would move the model to the GPU, which this machine pretends to have."""
    data = write_data(tmp_path / 'data')
    config = tiny_config(data, tmp_path / 'run', Settings(device='cpu', workers=0))
    for module in (mmengine.runner.runner, devices):
        monkeypatch.setattr(module, 'get_device', lambda: 'meta')
    assert {p.device.type for p in build_runner(config).model.parameters()} == {'cpu'}
    config.pop('device')
    assert {p.device.type for p in build_runner(config).model.parameters()} == {'meta'}


def test_a_gpu_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus(monkeypatch, 2)
    config = Config({})
    set_device(config, 'cuda:1')
    current: list[int] = []
    monkeypatch.setattr(torch.cuda, 'set_device', current.append)
    devices.use_device(config)
    assert (config.device, current) == ('cuda:1', [1])
    assert devices.run_device(config) == 'cuda:1'


@pytest.mark.parametrize(
    ('device', 'count', 'reason'),
    [
        ('tpu', 1, 'expected cpu, cuda or cuda:N'),
        ('cuda:-1', 1, 'expected cpu, cuda or cuda:N'),
        ('cuda', 0, 'PyTorch finds no GPU here; write --device cpu'),
        ('cuda:1', 1, 'PyTorch finds cuda:0 here'),
        ('cuda:4', 4, 'PyTorch finds cuda:0 to cuda:3 here'),
    ],
)
def test_devices_that_are_absent(
    monkeypatch: pytest.MonkeyPatch, device: str, count: int, reason: str
) -> None:
    gpus(monkeypatch, count)
    with pytest.raises(ValueError, match=f'--device {device}: {reason}'):
        set_device(Config({}), device)


def test_launchers_assign_devices() -> None:
    with pytest.raises(ValueError, match='the launcher assigns a device'):
        set_device(Config(dict(launcher='pytorch')), 'cpu')
