"""A step that is not finite leaves no trace; too many end the training with a diagnosis."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import RUNNERS
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from effnet_dense.engine.hooks.finite import FiniteHook
from effnet_dense.engine.runner import Runner
from tests.helpers import resumable


@pytest.fixture(scope='module', autouse=True)
def quick() -> Iterator[None]:
    """Without the time that a config's text takes."""
    patch = resumable.plain_config_text()
    yield
    patch.undo()


class Poison(Hook):
    """Makes an image NaN in some iterations, and keeps the state before and after each."""

    def __init__(self, *iterations: int) -> None:
        self.iterations = iterations
        self.before: list[dict[str, Tensor]] = []
        self.after: list[dict[str, Tensor]] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Poison."""
        self.before.append(state_of(runner))
        if runner.iter + 1 in self.iterations:
            data_batch['inputs'][0] = torch.full((3, 64, 64), math.nan)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Keep."""
        self.after.append(state_of(runner))


def state_of(runner: Runner) -> dict[str, Tensor]:
    """Weights, buffers and the optimizer's state."""
    state = {k: v.clone() for k, v in runner.model.state_dict().items()}
    optimizer = runner.optim_wrapper.optimizer.state_dict()['state']
    for number, moments in optimizer.items():
        state |= {f'{number} {k}': torch.as_tensor(v).clone() for k, v in moments.items()}
    return state


def poisoned(data: Path, work_dir: Path, *iterations: int, **changes: Any) -> tuple[Runner, Poison]:
    changes = {'train_cfg.max_epochs': 2, 'train_cfg.val_interval': 99, **changes}
    runner = RUNNERS.build(resumable.config(data, work_dir, **changes))
    poison = Poison(*iterations)
    runner.register_hook(poison)
    return runner, poison


def log_of(work_dir: Path) -> str:
    return max(work_dir.glob('*/*.log')).read_text(encoding='utf-8')


def test_a_poisoned_step_leaves_no_trace(tiny_data: Path, tmp_path: Path) -> None:
    runner, poison = poisoned(tiny_data, tmp_path, 3)
    runner.train()
    assert resumable.differences(poison.before[2], poison.after[2]) == []
    for step in (1, 3):  # while the others learn, batch norm included
        changed = resumable.differences(poison.before[step], poison.after[step])
        assert any('running_mean' in name for name in changed)
        assert any(name.endswith('exp_avg') for name in changed)
    assert all(torch.isfinite(v).all() for v in runner.model.state_dict().values())
    log = log_of(tmp_path)
    assert 'iteration 3: the loss is not finite (' in log and '(1 in a row); images: ' in log
    assert 'iteration 4: ' not in log


@pytest.mark.slow
def test_too_many_in_a_row_end_it_with_a_diagnosis(tiny_data: Path, tmp_path: Path) -> None:
    hook = dict(type='effnet_dense.FiniteHook', patience=2)
    runner, _ = poisoned(tiny_data, tmp_path, 1, 3, 4, custom_hooks=[hook])
    with pytest.raises(FloatingPointError) as caught:
        runner.train()
    lines = str(caught.value)
    assert 'iteration 4: the loss is not finite (loss nan' in lines and '(2 in a row)' in lines
    assert 'at 2 images per step, which is meant for 4 (--auto-scale-lr scales it)' in lines
    assert 'norm of the gradients in the last finite step: ' in lines
    assert 'images that are not finite: ' in lines and '.png' in lines
    assert 'weights that are not finite' not in lines
    assert re.search(r'sides of the boxes: [\d.]+ to [\d.]+ pixels', lines)
    assert 'the last checkpoint is ' in lines and 'epoch_1.pth' in lines
    assert len([h for h in runner.hooks if isinstance(h, FiniteHook)]) == 1


@pytest.mark.slow
def test_finite_loss_with_infinite_gradients(tiny_data: Path, tmp_path: Path) -> None:
    runner, poison = poisoned(tiny_data, tmp_path)
    weight = runner.model.bbox_head.retina_cls.weight
    seen = []

    def explode(gradient: Tensor) -> Tensor:
        seen.append(1)
        return gradient * math.inf if len(seen) == 2 else gradient

    weight.register_hook(explode)
    runner.train()
    assert resumable.differences(poison.before[1], poison.after[1]) == []
    assert 'iteration 2: the gradients are not finite, the step is skipped' in log_of(tmp_path)


class Steps:
    """A wrapper around one layer's optimizer, and losses that are given."""

    def __init__(
        self, accumulate: int, watched: bool, scaler: bool = False, clip: Any = None
    ) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.wrapper = OptimWrapper(optimizer, accumulate, clip_grad=clip)
        self.hook = FiniteHook()
        if scaler:
            self.wrapper.loss_scaler = object()
        self.wrapper.initialize_count_status(self.model, 0, 7)
        if watched:
            self.wrapper.update_params = self.hook._checked_update(self.wrapper)

    def run(self, *factors: float) -> dict[str, Tensor]:
        for factor in factors:
            self.wrapper.update_params(factor * self.model(torch.ones(2, 3)).pow(2).mean())
        return copy.deepcopy(self.model.state_dict())


@pytest.mark.parametrize('accumulate', [1, 2, 3])
def test_good_steps_are_mmengines(accumulate: int) -> None:
    factors = (1.0, 2.0, 0.5, 1.0, 0.1, 0.2, 3.0)
    watched, plain = (Steps(accumulate, watched).run(*factors) for watched in (True, False))
    assert resumable.differences(watched, plain) == []


@pytest.mark.parametrize(
    'clip',
    [
        dict(max_norm=0.3),
        dict(max_norm=0.3, norm_type=1),
        dict(type='value', clip_value=0.1),
        dict(max_norm=100.0),
    ],
)
def test_gradients_are_clipped_as_by_mmengine(clip: dict[str, Any]) -> None:
    steps = [Steps(2, watched, clip=dict(clip)) for watched in (True, False)]
    found, expected = (each.run(1.0, 2.0, 0.5, 1.0) for each in steps)
    assert resumable.differences(found, expected) == []
    norms = steps[0].wrapper.message_hub.log_scalars.get('train/grad_norm')
    if 'max_norm' in clip:
        logged = norms.data[0].tolist()[-4:]
        assert logged[:2] == logged[2:], 'mine, then those of mmengine'


def test_the_norm_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    norm_of = torch.nn.utils.get_total_norm

    def counted(*args: Any, **kwargs: Any) -> Tensor:
        calls.append(1)
        return norm_of(*args, **kwargs)

    monkeypatch.setattr(torch.nn.utils, 'get_total_norm', counted)
    monkeypatch.setattr(torch.nn.utils.clip_grad, 'get_total_norm', counted, raising=False)
    Steps(1, True, clip=dict(max_norm=0.3)).run(1.0)
    assert len(calls) == 1


class Reads(TorchDispatchMode):
    """Counts numbers that are read from tensors, where the host would wait for a device."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func._schema.name == 'aten::_local_scalar_dense'
        return func(*args, **(kwargs or {}))


def test_the_host_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For one list of two numbers, loss and gradients, which also clips and is logged."""
    lists: list[list[float]] = []
    to_list = Tensor.tolist

    def counted(tensor: Tensor) -> Any:
        lists.append(to_list(tensor))
        return lists[-1]

    monkeypatch.setattr(Tensor, 'tolist', counted)
    steps = Steps(1, True, clip=dict(max_norm=0.3))
    with Reads() as reads:
        steps.run(1.0)
    assert len(lists) == 1 and lists[0][0] == 1.0
    assert lists[0][1] == steps.hook.norm > 0
    assert reads.count == 0


def test_what_was_accumulated_with_it_is_dropped() -> None:
    """The third of three spoils the first two; the next three count as ever."""
    spoilt, clean = Steps(3, True), Steps(3, True)
    spoilt.run(1.0, 2.0, math.nan, 1.0, 2.0, 0.5)
    clean.run(1.0, 2.0, 0.5)
    assert resumable.differences(spoilt.model.state_dict(), clean.model.state_dict()) == []
    assert spoilt.wrapper.inner_count == 6


def test_a_gradient_scaler_sees_to_its_infinite_gradients() -> None:
    steps = Steps(1, True, scaler=True)
    steps.model.weight.register_hook(lambda gradient: gradient * math.inf)
    steps.run(1.0)
    assert not torch.isfinite(steps.model.weight).all(), 'left to the scaler, here none'
    assert steps.hook.fault == ''
    Steps(1, True, scaler=True).run(math.nan)
    steps.run(math.inf)
    assert steps.hook.fault == 'the loss is not finite'


def test_a_gradient_scaler_that_is_off_checks_nothing() -> None:
    """bfloat16 is trained with one, so the hook checks the gradients."""
    steps = Steps(1, True)
    steps.wrapper.loss_scaler = torch.amp.GradScaler('cpu', enabled=False)
    steps.model.weight.register_hook(lambda gradient: gradient * math.inf)
    steps.run(1.0)
    assert torch.isfinite(steps.model.weight).all()
    assert steps.hook.fault == 'the gradients are not finite'


def test_patience_is_a_number_of_steps() -> None:
    with pytest.raises(ValueError, match='at least 1, got 0'):
        FiniteHook(patience=0)
