"""tools/train.py: training, resuming after a kill, several processes, mmdet's own tool."""

from __future__ import annotations

import json
import math
import signal
import sys
import time
from pathlib import Path

import mmdet
import pytest
import torch

from effnet_dense.weights.safe import safe_load
from tests.helpers.forked import start_forked
from tests.helpers.tiny import (
    as_arguments,
    in_place_of_coco,
    narrow_retinanet,
    options,
    write_data,
)
from tests.helpers.tool import REPOSITORY, call, finish

FINETUNE = 'configs/effnet_lite0_retinanet_finetune.py'
SMALL = {
    **narrow_retinanet(16),
    'default_hooks.checkpoint.max_keep_ckpts': -1,
}


def arguments(data: Path, work_dir: Path, **changes: object) -> list[object]:
    """The command line of a small training."""
    small = as_arguments({**options(), **SMALL, **changes})
    return [FINETUNE, '--data', data, '--work-dir', work_dir, *small]


def scalars(work_dir: Path) -> list[dict[str, float]]:
    """The lines of the newest run's vis_data/scalars.json."""
    newest = max(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for line in newest.read_text(encoding='utf-8').splitlines()]


def test_trains_evaluates_and_resumes(tiny_data: Path, tmp_path: Path) -> None:
    words = arguments(tiny_data, tmp_path, **{'train_cfg.val_interval': 1})
    assert call('train', *words) == 0
    logged = scalars(tmp_path)
    assert any('coco/bbox_mAP' in line for line in logged)
    assert all(line['loss_bbox'] > 0 for line in logged if 'loss_bbox' in line)
    first = safe_load(tmp_path / 'epoch_1.pth')
    assert first['meta']['iter'] == 2

    longer = arguments(tiny_data, tmp_path, **{'train_cfg.max_epochs': 2})
    assert call('train', *longer, '--resume') == 0
    assert {line['epoch'] for line in scalars(tmp_path) if 'loss' in line} == {2}
    second = safe_load(tmp_path / 'epoch_2.pth')
    assert (second['meta']['epoch'], second['meta']['iter']) == (2, 4)
    steps = {state['step'].item() for state in second['optimizer']['state'].values()}
    assert steps == {4}, 'the optimizer did not resume from its own state'


@pytest.mark.slow
def test_resume_names_a_checkpoint(tiny_data: Path, tmp_path: Path) -> None:
    assert call('train', *arguments(tiny_data, tmp_path / 'a')) == 0
    words = arguments(tiny_data, tmp_path / 'b', **{'train_cfg.max_epochs': 2})
    assert call('train', *words, '--resume', tmp_path / 'a' / 'epoch_1.pth') == 0
    assert not (tmp_path / 'b' / 'epoch_1.pth').exists()
    assert safe_load(tmp_path / 'b' / 'epoch_2.pth')['meta']['iter'] == 4


def test_amp_trains_on_this_device(tiny_data: Path, tmp_path: Path) -> None:
    """At 128 px: at 64 the last level's convolution sees one pixel, where torch 2.14's bfloat16
    gradients on the CPU are at times read from uninitialised memory."""
    size = (128, 128)
    larger = {
        'train_dataloader.dataset.pipeline.2.scale': size,
        'train_dataloader.dataset.pipeline.3.crop_size': size,
        'model.data_preprocessor.batch_augments.0.size': size,
    }
    assert call('train', *arguments(tiny_data, tmp_path, **larger), '--amp') == 0
    losses = [line['loss'] for line in scalars(tmp_path) if 'loss' in line]
    assert losses and all(math.isfinite(loss) for loss in losses)


@pytest.mark.slow
def test_auto_scale_lr_is_linear(tiny_data: Path, tmp_path: Path) -> None:
    constant = {'param_scheduler': None, 'optim_wrapper.optimizer.lr': 0.008}
    words = arguments(tiny_data, tmp_path, **constant)
    assert call('train', *words, '--auto-scale-lr') == 0
    # Two images per step, where the rate is meant for four; the head's groups have no multiplier.
    assert max(line['lr'] for line in scalars(tmp_path) if 'lr' in line) <= 0.004 + 1e-9
    rates = [g['lr'] for g in safe_load(tmp_path / 'epoch_1.pth')['optimizer']['param_groups']]
    assert max(rates) == pytest.approx(0.004)


def names_epoch(last_checkpoint: Path, epoch: int) -> bool:
    """Whether the file names the checkpoint of this epoch or a later one."""
    if not last_checkpoint.exists():
        return False
    return (
        int(Path(last_checkpoint.read_text(encoding='utf-8')).stem.removeprefix('epoch_')) >= epoch
    )


@pytest.mark.slow
def test_killed_run_resumes(tiny_data: Path, tmp_path: Path) -> None:
    words = arguments(tiny_data, tmp_path, **{'train_cfg.max_epochs': 1000})
    process = start_forked(tmp_path / 'log', 'tools/train.py', *words)
    deadline = time.monotonic() + 240
    named = tmp_path / 'last_checkpoint'  # written after the checkpoint that it names
    while not names_epoch(named, 2) and time.monotonic() < deadline:
        assert process.poll() is None, (tmp_path / 'log').read_text(encoding='utf-8')[-4000:]
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()

    last = Path(named.read_text(encoding='utf-8'))
    done = safe_load(last)['meta']['epoch']
    assert done >= 2
    words = arguments(tiny_data, tmp_path, **{'train_cfg.max_epochs': done + 1})
    (log,) = tmp_path.glob('*/vis_data/scalars.json')
    before = len(log.read_text(encoding='utf-8').splitlines())
    assert call('train', *words, '--resume') == 0
    assert safe_load(tmp_path / f'epoch_{done + 1}.pth')['meta']['iter'] == 2 * (done + 1)
    # On a fast machine both start in the same second, and mmengine names the folder by that.
    shared = max(tmp_path.glob('*/vis_data/scalars.json')) == log
    own = scalars(tmp_path)[before if shared else 0 :]
    assert {line['epoch'] for line in own if 'loss' in line} == {done + 1}


@pytest.mark.slow
def test_two_processes_on_the_cpu(tiny_data: Path, tmp_path: Path) -> None:
    words = arguments(tiny_data, tmp_path)
    config = tmp_path / 'two_processes.py'
    config.write_text(
        f"_base_ = ['{REPOSITORY / FINETUNE}']\n"
        "custom_imports = dict(imports=['effnet_dense', 'tests.helpers.rank_hook'])\n"
        "custom_hooks = [dict(type='RankHook')]\n",
        encoding='utf-8',
    )
    words[0] = config
    # As a user starts it; other tests fork what torchrun would start.
    command = ['bash', 'tools/dist_train.sh', config, 2, *words[1:]]
    finish(tmp_path / 'log', *command, CUDA_VISIBLE_DEVICES='')
    ranks = [
        json.loads((tmp_path / f'rank_{rank}.json').read_text(encoding='utf-8')) for rank in (0, 1)
    ]
    assert ranks[0]['weights'] == ranks[1]['weights'], 'the gradients were not averaged'
    assert ranks[0]['weights'] != ranks[0]['start'], 'nothing was learnt'
    seen = [set(rank['images']) for rank in ranks]
    assert not seen[0] & seen[1]
    assert len(seen[0] | seen[1]) == 4
    assert safe_load(tmp_path / 'epoch_1.pth')['meta']['iter'] == 1


@pytest.mark.gpu
@pytest.mark.slow
def test_every_gpu_in_mixed_precision_with_sync_bn(tiny_data: Path, tmp_path: Path) -> None:
    """DDP over NCCL on all GPUs of the machine, one will do: one step, SyncBN kept, loss finite.

    On the CPU: test_two_processes_on_the_cpu.
    """
    gpus = torch.cuda.device_count()
    more = {'train_dataloader.batch_size': 4 // gpus or 1, 'model.backbone.norm_eval': False}
    words = arguments(tiny_data, tmp_path, **more)
    finish(tmp_path / 'log', 'bash', 'tools/dist_train.sh', words[0], gpus, *words[1:], '--amp')
    assert all(math.isfinite(line['loss']) for line in scalars(tmp_path) if 'loss' in line)
    state = safe_load(tmp_path / 'epoch_1.pth')
    assert state['optimizer']['loss_scaler']['scale'] > 0
    counters = [v for k, v in state['state_dict'].items() if k.endswith('num_batches_tracked')]
    assert max(int(counter) for counter in counters) == state['meta']['iter']


@pytest.mark.slow
def test_mmdets_own_tool_trains_our_config(tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data', classes=('person', 'car'))
    tool = Path(mmdet.__file__).parent / '.mim' / 'tools' / 'train.py'
    values = {**options(), **SMALL, **in_place_of_coco(data)}
    words = [FINETUNE, '--work-dir', tmp_path / 'run', *as_arguments(values)]
    finish(tmp_path / 'log', sys.executable, tool, *words)
    state = safe_load(tmp_path / 'run' / 'epoch_1.pth')['state_dict']
    assert 'backbone.layers.0.conv.weight' in state
