"""A stopped and resumed run ends with the same bits as one that never stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import mmcv
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import RUNNERS
from torch import Tensor

from effnet_dense.engine.runner import Runner
from effnet_dense.weights.safe import safe_load
from tests.helpers import resumable
from tests.helpers.resumable import (
    ENDING_SAMPLER,
    EPOCHS,
    ITERATIONS,
    STEPS,
    CutHook,
    PowerCut,
    differences,
    end_state,
)
from tests.helpers.tiers import slow_except
from tests.helpers.tiny import write_data

WholeEnd = Callable[[str], dict[str, Tensor]]
BY_ITER: dict[str, Any] = {
    **EPOCHS,
    'default_hooks.checkpoint.by_epoch': False,
    'default_hooks.checkpoint.interval': 1,
}
ACCUMULATED = {**BY_ITER, 'optim_wrapper.accumulative_counts': 3}
KINDS = {
    'epochs': EPOCHS,
    'inside an epoch': BY_ITER,
    'iterations': ITERATIONS,
    'iterations, a sampler with an end': ENDING_SAMPLER,
    'accumulated gradients': ACCUMULATED,
}


@pytest.fixture(scope='module', autouse=True)
def quick() -> Iterator[None]:
    """Without the time that a config's text takes."""
    patch = resumable.plain_config_text()
    yield
    patch.undo()


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images to train on: four batches."""
    return write_data(tmp_path_factory.mktemp('eight'), train=8)


def build(data: Path, work_dir: Path, **changes: Any) -> Runner:
    return RUNNERS.build(resumable.config(data, work_dir, **changes))


@pytest.fixture(scope='module')
def whole_end(data: Path, tmp_path_factory: pytest.TempPathFactory) -> WholeEnd:
    """What a kind's uninterrupted run ends with, trained once."""

    @cache
    def end(kind: str) -> dict[str, Tensor]:
        folder = tmp_path_factory.mktemp('whole')
        build(data, folder, **KINDS[kind]).train()
        return end_state(last(folder))

    return end


def last(work_dir: Path) -> Path:
    return Path((work_dir / 'last_checkpoint').read_text(encoding='utf-8'))


@pytest.mark.slow
@pytest.mark.parametrize(
    ('kind', 'cut'),
    slow_except(
        [
            ('epochs', 6),  # inside the second epoch, whose start is gone back to
            ('inside an epoch', 6),
            ('inside an epoch', 8),  # its last batch; the validation that is due is still to come
            ('iterations', 7),
            ('iterations, a sampler with an end', 7),
            ('accumulated gradients', 5),
        ],
        ('iterations', 7),
    ),
)
def test_equals_the_uninterrupted_run(
    kind: str, cut: int, data: Path, tmp_path: Path, whole_end: WholeEnd
) -> None:
    changes = KINDS[kind]
    end = whole_end(kind)
    stopped = build(data, tmp_path / 'cut', **changes)
    stopped.register_hook(CutHook(cut))
    with pytest.raises(PowerCut):
        stopped.train()
    build(data, tmp_path / 'cut', resume=True, **changes).train()

    assert differences(end, end_state(last(tmp_path / 'cut'))) == []
    assert safe_load(last(tmp_path / 'cut'))['meta']['iter'] == STEPS


class Reads(Hook):
    """Counts the images read, and remembers the images of each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.images: list[list[int]] = []
        read = mmcv.imfrombytes

        def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return read(*args, **kwargs)

        monkeypatch.setattr(mmcv, 'imfrombytes', counted)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any, outputs: Any):
        """Remember."""
        self.images.append([sample.img_id for sample in data_batch['data_samples']])


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['inside an epoch', 'iterations'])
def test_no_image_is_read_again(
    kind: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {**KINDS[kind], 'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None}
    stopped = build(data, tmp_path, **changes)
    before = Reads(monkeypatch)
    stopped.register_hook(before)
    stopped.register_hook(CutHook(5))
    with pytest.raises(PowerCut):
        stopped.train()
    reads = Reads(monkeypatch)
    runner = build(data, tmp_path, resume=True, **changes)
    runner.register_hook(reads)
    runner.train()
    assert reads.count == 2 * (STEPS - 5)
    if kind == 'inside an epoch':  # each image once in the epoch of both halves
        assert sorted(chain(*before.images[4:], *reads.images[:3])) == list(range(1, 9))


@pytest.mark.slow
def test_a_random_seed_is_the_resumed_runs_too(data: Path, tmp_path: Path) -> None:
    """`randomness=dict(seed=None)`: the order of the images must not change."""
    changes = {**ITERATIONS, 'randomness.seed': None}
    whole = build(data, tmp_path / 'cut', **changes)
    whole.register_hook(CutHook(7))
    with pytest.raises(PowerCut):
        whole.train()
    runner = build(data, tmp_path / 'cut', resume=True, **changes)
    runner.train()
    assert runner.seed == whole.seed
    assert runner.train_dataloader.sampler.seed == whole.seed


@pytest.mark.slow
def test_another_batch_size_resumes_at_the_same_place(data: Path, tmp_path: Path) -> None:
    stopped = build(data, tmp_path, **BY_ITER)
    stopped.register_hook(CutHook(7))  # three batches of two
    with pytest.raises(PowerCut):
        stopped.train()
    runner = build(data, tmp_path, resume=True, **{**BY_ITER, 'train_dataloader.batch_size': 3})
    runner.register_hook(CutHook(8))
    with pytest.raises(PowerCut):
        runner.train()
    assert runner.train_loop.position.batch == 3  # of three; six images were done
    assert any(
        'with 2 images per iteration' in log.read_text(encoding='utf-8')
        for log in tmp_path.glob('*/*.log')
    )


@pytest.mark.slow
def test_a_checkpoint_of_mmengine_is_resumed(data: Path, tmp_path: Path) -> None:
    """It has no progress: its counters tell the batch."""
    stopped = build(data, tmp_path, **BY_ITER)
    stopped.register_hook(CutHook(6))
    with pytest.raises(PowerCut):
        stopped.train()
    state = safe_load(tmp_path / 'iter_6.pth')
    del state['meta']['progress']
    torch.save(state, tmp_path / 'iter_6.pth')
    runner = build(data, tmp_path, resume=True, **BY_ITER)
    runner.train()
    assert runner.iter == STEPS
