"""Resuming with another config, and from damaged training states: one sentence, nothing silent."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from effnet_dense.engine.hooks.summary import SummaryHook
from effnet_dense.engine.resume.restore import is_validated
from effnet_dense.weights.safe import safe_load
from tests.helpers.resumable import CutHook, PowerCut, plain_config_text
from tests.helpers.toy import OPTIMIZER, SCHEDULE, toy_log, toy_runner

State = dict[str, Any]
EMA = [dict(type='EMAHook', momentum=0.5)]
ADAM = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.01))


@pytest.fixture(scope='module', autouse=True)
def quick() -> Iterator[None]:
    """Without the time that a config's text takes."""
    patch = plain_config_text()
    yield
    patch.undo()


def train(folder: Path, **changes: Any) -> Path:
    """Train two of four epochs; return the checkpoint."""
    runner = toy_runner(folder, **changes)
    runner.register_hook(CutHook(9))
    with pytest.raises(PowerCut):
        runner.train()
    return folder / 'epoch_2.pth'


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp('plain'))


@pytest.fixture(scope='module')
def adam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp('adam'), **{'optim_wrapper': ADAM})


@pytest.fixture(scope='module')
def averaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp('ema'), custom_hooks=EMA)


def resume(checkpoint: Path, folder: Path, **changes: Any) -> Any:
    """Resume a training in another folder, to the end of its four epochs."""
    runner = toy_runner(folder, load_from=str(checkpoint), resume=True, **changes)
    runner.train()
    return runner


def told(folder: Path) -> list[str]:
    """What the newest run's log says on resuming."""
    return [line for line in toy_log(folder).splitlines() if 'resume: ' in line]


# Changes of the config → what the log says of them, and what is then true of the runner.
IGNORED: dict[str, tuple[State, str, Callable[[Any], bool]]] = {
    'rate': (
        {'optim_wrapper.optimizer.lr': 0.02},
        'optim_wrapper.optimizer.lr: 0.02 here, 0.01 in the checkpoint',
        lambda runner: runner.optim_wrapper.param_groups[0]['initial_lr'] == 0.01,
    ),
    'decay': (
        {'optim_wrapper.optimizer.weight_decay': 0.1},
        'optim_wrapper.optimizer.weight_decay: 0.1 here, 0.0 in the checkpoint',
        lambda runner: runner.optim_wrapper.param_groups[0]['weight_decay'] == 0,
    ),
    'scaled rate': (
        {'auto_scale_lr': dict(base_batch_size=1, enable=True)},
        'optim_wrapper.optimizer.lr: 0.02 here, 0.01 in the checkpoint',
        lambda runner: runner.optim_wrapper.param_groups[0]['initial_lr'] == 0.01,
    ),
    'schedule': (
        {'param_scheduler': [{**SCHEDULE[0], 'milestones': [2], 'gamma': 0.5}]},
        'param_scheduler.0.milestones: [2] here, [3] in the checkpoint (in epochs); '
        'param_scheduler.0.gamma: 0.5 here, 0.1 in the checkpoint',
        lambda runner: runner.param_schedulers[0].gamma == 0.1,
    ),
    'seed': (
        {'randomness.seed': 5},
        'randomness.seed: 5 here, 0 in the checkpoint',
        lambda runner: runner.seed == 0,
    ),
    'first weights': (
        {'model.init_cfg': dict(type='Constant', layer='Linear', val=0.0)},
        "model.init_cfg: dict(type='Constant', …) here, nothing in the checkpoint",
        lambda runner: bool(runner.model.layer.weight.any()),
    ),
}
TAKEN: dict[str, tuple[State, str, Callable[[Any], bool]]] = {
    'length': (
        {'train_cfg.max_epochs': 6},
        'train_cfg.max_epochs: 6 here, 4 in the checkpoint',
        lambda runner: runner.iter == 24,
    ),
    'batch size': (
        {'train_dataloader.batch_size': 4},
        'train_dataloader.batch_size: 4 here, 2 in the checkpoint',
        lambda runner: runner.train_dataloader.batch_size == 4,
    ),
    'data': (
        {'train_dataloader.dataset.root': '/other'},
        "train_dataloader.dataset.root: '/other' here, nothing in the checkpoint",
        lambda runner: runner.iter == 16,
    ),
    'mixed precision': (
        {'optim_wrapper.type': 'CPUAmpOptimWrapper'},
        "optim_wrapper.type: 'CPUAmpOptimWrapper' here, 'OptimWrapper' in the",
        lambda runner: type(runner.optim_wrapper).__name__ == 'CPUAmpOptimWrapper',
    ),
    'clipping': (
        {'optim_wrapper.clip_grad': dict(max_norm=1.0)},
        "optim_wrapper.clip_grad: {'max_norm': 1.0} here, nothing in the checkpoint",
        lambda runner: runner.optim_wrapper.clip_grad_kwargs == dict(max_norm=1.0),
    ),
    'averages': (
        {'custom_hooks': EMA},
        'custom_hooks: [EMAHook] here, nothing in the checkpoint',
        lambda runner: any(type(hook).__name__ == 'EMAHook' for hook in runner.hooks),
    ),
    'dropout': (
        {'model.drop_rate': 0.5},
        'model.drop_rate: 0.5 here, nothing in the checkpoint',
        lambda runner: runner.iter == 16,
    ),
    'no schedule': (
        {'param_scheduler': None},
        'no param_scheduler; the rate stays at its last value',
        lambda runner: runner.optim_wrapper.param_groups[0]['lr'] == 0.01,
    ),
}
REFUSED: dict[str, tuple[State, str]] = {
    'architecture': ({'model.width': 3}, r'another model: model.width: 3 here, nothing in.*size'),
    'activation': ({'model.act': 'silu'}, r"cannot be resumed: model.act: 'silu' here"),
    'classes': (
        {'train_dataloader.dataset.classes': ('a', 'c')},
        r'trained on 2 classes \(a, b\), train_dataloader has 2 classes \(a, c\): resume with',
    ),
    'order of classes': (
        {'train_dataloader.dataset.classes': ('b', 'a')},
        r'trained on 2 classes \(a, b\), train_dataloader has 2 classes \(b, a\): resume with',
    ),
    'optimizer': (
        {'optim_wrapper': ADAM},
        "optim_wrapper.optimizer.type: 'AdamW' here, 'SGD' in the checkpoint",
    ),
    'parameter groups': (
        {'optim_wrapper.paramwise_cfg': dict(norm_decay_mult=0.0)},
        'expected.*4 groups of parameters.*paramwise_cfg.*got 1',
    ),
    'kind of schedule': (
        {'param_scheduler': [dict(type='PolyLR', power=0.9)]},
        r'param_scheduler\.0 \(PolyLR of lr\) cannot resume from the state of another schedule',
    ),
    'number of schedules': (
        {'param_scheduler': [dict(type='ConstantLR', factor=0.5), *SCHEDULE]},
        r'2 schedules \(param_scheduler\), the checkpoint 1: write',
    ),
    'loop': (
        {'train_cfg': dict(type='IterBasedTrainLoop', max_iters=20)},
        "train_cfg.type: 'IterBasedTrainLoop' here, 'EpochBasedTrainLoop' in the checkpoint",
    ),
}


@pytest.mark.parametrize('kind', IGNORED)
def test_ignored_values(kind: str, trained: Path, tmp_path: Path) -> None:
    changes, words, holds = IGNORED[kind]
    assert holds(resume(trained, tmp_path, **changes))
    lines = told(tmp_path)
    assert sum("ignored, the checkpoint's values stay in use" in line for line in lines) == 1
    assert words in ' '.join(lines) and 'load_from=' in ' '.join(lines)


@pytest.mark.parametrize('kind', TAKEN)
def test_taken_values(kind: str, trained: Path, tmp_path: Path) -> None:
    changes, words, holds = TAKEN[kind]
    assert holds(resume(trained, tmp_path, **changes))
    assert f'taken from this run: {words}' in ' '.join(told(tmp_path))


@pytest.mark.parametrize('kind', REFUSED)
def test_refused_values(kind: str, trained: Path, tmp_path: Path) -> None:
    changes, words = REFUSED[kind]
    with pytest.raises(ValueError, match=f'(?s)epoch_2.pth.*{words}'):
        resume(trained, tmp_path, **changes)
    assert not list(tmp_path.glob('*.pth'))


def test_nothing_is_said_of_the_same_config(trained: Path, tmp_path: Path) -> None:
    same = {'model.drop_rate': 0.0, 'model.act': 'relu', 'custom_hooks': []}
    resume(trained, tmp_path, **same)
    assert told(tmp_path) == []


def test_resume_as_a_method(trained: Path, tmp_path: Path) -> None:
    """`Runner.resume` of a runner that has not begun to train; without the optimizer's state."""
    changed = {'optim_wrapper.paramwise_cfg': dict(norm_decay_mult=0.0)}
    with pytest.raises(ValueError, match='groups of parameters'):
        toy_runner(tmp_path / 'a', resume=True, **changed).resume(str(trained))
    runner = toy_runner(tmp_path / 'b', resume=True, **changed)
    runner.resume(str(trained), resume_optimizer=False, resume_param_scheduler=False)
    assert runner.epoch == 2 and isinstance(runner.optim_wrapper, dict)


def test_checkpoints_of_other_programs_have_no_config(trained: Path, tmp_path: Path) -> None:
    state = safe_load(trained)
    del state['meta']['effnet_dense_config'], state['meta']['progress']
    torch.save(state, tmp_path / 'other.pth')
    resume(tmp_path / 'other.pth', tmp_path / 'run', **IGNORED['rate'][0])
    assert 'carries no config' in told(tmp_path / 'run')[1]
    assert IGNORED['rate'][1] in told(tmp_path / 'run')[0]


def test_a_resumed_run_stays_at_the_trained_rate(trained: Path, tmp_path: Path) -> None:
    """A second resume, whose config is that of the first, is told as well."""
    changes = IGNORED['rate'][0]
    resume(trained, tmp_path / 'a', **changes)
    resume(tmp_path / 'a' / 'epoch_3.pth', tmp_path / 'b', **changes)
    assert IGNORED['rate'][1] in ' '.join(told(tmp_path / 'b'))


def test_without_averages_the_trained_weights_continue(averaged: Path, tmp_path: Path) -> None:
    runner = toy_runner(tmp_path, load_from=str(averaged), resume=True)
    runner.train_loop._max_epochs = 2
    runner.train()
    state = safe_load(averaged)
    own = runner.model.state_dict()
    for name in state['state_dict']:
        assert torch.equal(own[name], state['ema_state_dict'][f'module.{name}']), name
    assert not torch.equal(own['layer.weight'], state['state_dict']['layer.weight'])
    assert any('continues from the trained weights' in line for line in told(tmp_path))


@pytest.mark.parametrize('epochs', [1, 2])
def test_a_finished_run_says_so(epochs: int, trained: Path, tmp_path: Path) -> None:
    runner = resume(trained, tmp_path, **{'train_cfg.max_epochs': epochs})
    assert runner.iter == 8
    words = 'run is finished, nothing is left to train: the checkpoint has 2 epochs, '
    assert any(
        f'{words}train_cfg.max_epochs is {epochs}; to train longer: ' in line
        for line in told(tmp_path)
    )


def test_a_finished_run_ends_at_once(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hook of the training runs again, so that no result is logged twice."""
    ended: list[Any] = []
    monkeypatch.setattr(SummaryHook, 'after_train', lambda *_: ended.append(1))
    resume(trained, tmp_path, **{'train_cfg.max_epochs': 2})
    assert not ended
    how = f'effnet-dense train CONFIG --from {tmp_path} --epochs N --work-dir NEW'
    assert any(how in line for line in told(tmp_path)) and 'WARNING' not in told(tmp_path)[-1]


@pytest.mark.parametrize(
    ('rows', 'validated'),
    [
        (['{"step": 8, "lr": 0.1, "epoch": 2}', '{"step": 2, "a/b": 0.5}'], True),
        (['{"step": 1, "a/b": 0.5}', '{"step": 8, "lr": 0.1, "epoch": 2}'], False),
        (['{"step": 2, "a/b": 0.5}', '{"step": 2, "a'], False),
        ([], False),
    ],
)
def test_the_last_validation_is_not_left_out(
    rows: list[str], validated: bool, tmp_path: Path
) -> None:
    """The last checkpoint is written before it: a run may have been killed in between."""
    runner = toy_runner(tmp_path)
    loop = runner.build_train_loop(runner.train_loop)
    loop._epoch = 2
    for name, lines in (('1', rows), ('2', [])):
        log = tmp_path / name / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text('\n'.join(lines), encoding='utf-8')
    assert is_validated(loop, tmp_path) == validated
    loop.val_begin = 3
    assert is_validated(loop, tmp_path), 'none is due'


def test_a_finished_run_of_iterations(tmp_path: Path) -> None:
    loop = dict(type='IterBasedTrainLoop', max_iters=3)
    changes = {
        'train_cfg': loop,
        'param_scheduler': None,
        'default_hooks.checkpoint.by_epoch': False,
    }
    toy_runner(tmp_path, **changes).train()
    resume(tmp_path / 'iter_3.pth', tmp_path, **changes)
    assert any('checkpoint has 3 iterations, train_cfg.max_iters is 3' in s for s in told(tmp_path))


def put(state: State, path: str, value: Any) -> None:
    """Set a value inside a state; `...` removes it."""
    *parents, last = [int(part) if part.isdigit() else part for part in path.split('/')]
    node: Any = state
    for part in parents:
        node = node[part]
    if value is ...:
        del node[last]
    elif callable(value):
        node[last] = value(node[last])
    else:
        node[last] = value


def half(parts: State) -> State:
    return dict(list(parts.items())[: len(parts) // 2])


PROGRESS = 'meta/progress'
HUB = 'message_hub'
DAMAGES: dict[str, tuple[str, Any, str]] = {
    'no optimizer': ('optimizer', ..., r'optimizer missing'),
    'no states': ('optimizer/state', {}, 'expected optimizer states of 4 parameters, got 0'),
    'half of the states': ('optimizer/state', half, 'states of 4 parameters, got 2'),
    'no groups': ('optimizer/param_groups', ..., "to have 'state' and 'param_groups'"),
    'cut groups': ('optimizer/param_groups', [], '1 groups of parameters.*got 0'),
    'cut parameters': ('optimizer/param_groups/0/params', [0, 1], '4 parameters, got 2'),
    'no rate': ('optimizer/param_groups/0/lr', ..., 'state of SGD, with lr, got that of another'),
    'a rate of text': ('optimizer/param_groups/0/lr', 'x', "lr to be like 0.01, got 'x'"),
    'cut momentum': (
        'optimizer/state/0/momentum_buffer',
        lambda t: t[:1],
        r'momentum_buffer of parameter 0 to have shape \(2, 2\), got a tensor of shape \(1, 2\)',
    ),
    'no momentum': ('optimizer/state/1/momentum_buffer', ..., 'none of momentum_buffer.*1'),
    'momentum is nan': (
        'optimizer/state/0/momentum_buffer',
        lambda t: t * float('nan'),
        "finite numbers as the optimizer's momentum_buffer of parameter 0",
    ),
    'another parameter': ('optimizer/state', lambda s: {**half(s), 7: {}, 8: {}}, 'one of 7'),
    'no epoch': ('meta/epoch', ..., r"meta\['epoch'\] to be a whole number, at least 0, got None"),
    'no iter': ('meta/iter', ..., r"meta\['iter'\] to be a whole number"),
    'epoch is text': ('meta/epoch', '2', "whole number, at least 0, got '2'"),
    'iter is negative': ('meta/iter', -1, 'at least 0, got -1'),
    'seed is text': ('meta/seed', 'x', r"meta\['seed'\]"),
    'no schedules': ('param_schedulers', ..., 'no states of schedules'),
    'schedules are none': ('param_schedulers', None, 'param_schedulers to be a list'),
    'fewer schedules': ('param_schedulers', [], r'1 schedules \(param_scheduler\), the checkpoint'),
    'schedules by name': ('param_schedulers', {'a': []}, 'of one optimizer, or of several'),
    'schedule is a list': ('param_schedulers/0', [1], 'a list of dictionaries'),
    'cut schedule': ('param_schedulers/0/last_step', ..., 'which lacks last_step'),
    'cut rates': ('param_schedulers/0/base_values', [], 'base_values of param_scheduler.0'),
    'newer schedule': ('param_schedulers/0/phase', 1, 'a newer version, phase'),
    'step is text': ('param_schedulers/0/last_step', 'x', "last_step of.*got 'x'"),
    'no scalars': (f'{HUB}/log_scalars', ..., r"message_hub\['log_scalars'\].*got None"),
    'no info': (f'{HUB}/runtime_info', [1], r"message_hub\['runtime_info'\].*got \[1\]"),
    'no keys': (f'{HUB}/resumed_keys', ..., r"message_hub\['resumed_keys'\]"),
    'scalars are lists': (f'{HUB}/log_scalars/train/loss', [1.0], 'HistoryBuffer'),
    'cut history': (
        f'{HUB}/log_scalars',
        lambda s: {'a': _cut_history()},
        'as many counts as values',
    ),
    'kept are text': (f'{HUB}/runtime_info/keep_ckpt_ids', 'ab', "'keep_ckpt_ids'.*list"),
    'newer progress': (f'{PROGRESS}/sampler', {}, 'newer version.*got also sampler'),
    'newer position': (f'{PROGRESS}/position/shard', 1, 'newer version.*got also shard'),
    'newer generator': (f'{PROGRESS}/random/0/xpu', 1, 'newer version.*got also xpu'),
    'no position': (f'{PROGRESS}/position', ..., 'to have position, random, gradients'),
    'cut position': (f'{PROGRESS}/position/batch', ..., 'to have epoch, batch, got'),
    'position is text': (f'{PROGRESS}/position/batch', 'x', "'batch'.*whole number.*'x'"),
    'random is none': (f'{PROGRESS}/random', None, 'a list of states'),
    'cut random state': (f'{PROGRESS}/random/0/python', [3, [1], None], 'can restore'),
    'cut numpy state': (f'{PROGRESS}/random/0/numpy', ['MT19937', [1], 0, 0, 0.0], 'can restore'),
    'cut torch state': (f'{PROGRESS}/random/0/torch', torch.zeros(3), 'can restore'),
    'progress is text': (PROGRESS, 'x', "to have position, random, gradients, got 'x'"),
    'other gradients': (f'{PROGRESS}/gradients', {'a': torch.ones(1)}, r'got \(1,\) for a'),
    'config is no JSON': ('meta/effnet_dense_config', 'import os', 'expected a JSON object'),
}


def _cut_history() -> HistoryBuffer:
    buffer = HistoryBuffer([1.0, 2.0], [1, 1])
    buffer._count_history = np.array([1])
    return buffer


@pytest.fixture(scope='module')
def resumable(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A runner whose parts are built, as when it resumes."""
    runner = toy_runner(tmp_path_factory.mktemp('built'))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner._resume = True
    return runner


@pytest.mark.parametrize('damage', DAMAGES)
def test_damaged_states(damage: str, trained: Path, resumable: Any, tmp_path: Path) -> None:
    path, value, words = DAMAGES[damage]
    state = copy.deepcopy(safe_load(trained))
    if path.startswith(f'{HUB}/log_scalars/'):
        state[HUB]['log_scalars']['train/loss'] = value
    else:
        put(state, path, value)
    file = tmp_path / 'damaged.pth'
    torch.save(state, file)
    with pytest.raises(ValueError, match=f'damaged.pth .*{words}') as raised:
        resumable.resume(str(file))
    assert '\n' not in str(raised.value)


ADAMS: dict[str, tuple[str, Any, str]] = {
    'no second moment': ('optimizer/state/0/exp_avg_sq', ..., 'none of exp_avg_sq for parameter 0'),
    'cut second moment': (
        'optimizer/state/0/exp_avg_sq',
        torch.ones(1),
        r'exp_avg_sq of.*\(2, 2\)',
    ),
    'no states': ('optimizer/state', {}, 'states of 4 parameters, got 0'),
    'no betas': ('optimizer/param_groups/0/betas', ..., 'state of AdamW, with betas'),
}


@pytest.mark.parametrize('damage', ADAMS)
def test_damaged_states_of_adam(damage: str, adam: Path, tmp_path: Path) -> None:
    path, value, words = ADAMS[damage]
    state = safe_load(adam)
    put(state, path, value)
    torch.save(state, tmp_path / 'damaged.pth')
    with pytest.raises(ValueError, match=f'damaged.pth cannot be resumed: .*{words}'):
        resume(tmp_path / 'damaged.pth', tmp_path, **{'optim_wrapper': ADAM})


def test_without_counts_missing_states_are_found(trained: Path, tmp_path: Path) -> None:
    """As in mmengine's checkpoints."""
    state = safe_load(trained)
    del state['meta']['progress']
    state['optimizer']['state'] = {}
    torch.save(state, tmp_path / 'damaged.pth')
    with pytest.raises(
        ValueError, match=r'expected the optimizer.s states \(momentum_buffer\), got'
    ):
        resume(tmp_path / 'damaged.pth', tmp_path)


@pytest.mark.parametrize(
    ('path', 'value'),
    [
        ('ema_state_dict', [1]),
        ('ema_state_dict', half),
        ('ema_state_dict/module.layer.weight', torch.ones(1)),
    ],
)
@pytest.mark.parametrize('hooks', [EMA, []])
def test_damaged_averages(
    path: str, value: Any, hooks: list[Any], averaged: Path, tmp_path: Path
) -> None:
    state = safe_load(averaged)
    put(state, path, value)
    torch.save(state, tmp_path / 'damaged.pth')
    with pytest.raises(ValueError, match='cannot be resumed: expected ema_state_dict to'):
        resume(tmp_path / 'damaged.pth', tmp_path, custom_hooks=hooks)


def test_the_newest_undamaged_one_is_found(trained: Path, tmp_path: Path) -> None:
    """`--resume` without a name leaves out a state without counters, and says it."""
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        state = safe_load(trained.with_name(name))
        if name == 'epoch_2.pth':
            del state['meta']['iter']
        torch.save(state, tmp_path / name)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'), encoding='utf-8')
    runner = toy_runner(tmp_path, resume=True)
    runner.train()
    assert runner.iter == 16
    assert 'checkpoint skipped: ' in toy_log(tmp_path) and "meta['iter']" in toy_log(tmp_path)


def test_momentum_is_optional(tmp_path: Path) -> None:
    """SGD without momentum has no states, which is complete."""
    changes = {'optim_wrapper.optimizer': {**OPTIMIZER, 'momentum': 0.0}}
    checkpoint = train(tmp_path / 'a', **changes)
    state = safe_load(checkpoint)
    state['optimizer']['state'] = {}
    del state['meta']['progress']
    torch.save(state, checkpoint)
    assert resume(checkpoint, tmp_path / 'b', **changes).iter == 16
