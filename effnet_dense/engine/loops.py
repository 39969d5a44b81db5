"""Training loops that resume in the middle of an epoch, with an uninterrupted run's results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.runner import BaseLoop
from mmengine.runner import EpochBasedTrainLoop as MMEngineEpochBasedTrainLoop
from mmengine.runner import IterBasedTrainLoop as MMEngineIterBasedTrainLoop
from mmengine.runner.utils import calc_dynamic_intervals
from torch import nn
from torch.utils.data import DataLoader

from effnet_dense.data.seeding import sampler_of
from effnet_dense.engine.resume.batches import BatchStream, images_per_iteration, remaining_batches
from effnet_dense.engine.resume.progress import Position, set_random_state
from effnet_dense.registry import LOOPS


class ResumableLoop:
    """Common part of both loops: the position in the data and the random state to start from."""

    runner: Any
    dataloader: Any
    _iter: int
    _random: Mapping[str, Any] | None = None
    position: Position
    nothing_left = False
    """Whether a resumed run was complete, with its last validation: `run` then does nothing."""

    def start_from(self, position: Position, random: Mapping[str, Any] | None) -> None:
        """Set where `run` starts, and with which random state; None keeps the current one."""
        self.position = position
        self._random = random

    def position_from_counters(self, images: int) -> Position:
        """Return the position of a checkpoint that mmengine wrote, from its epoch and iteration.

        Args:
            images: Images per iteration.
        """
        raise NotImplementedError

    def _restore_random(self) -> None:
        """Restore the random state, once, at the point at which the checkpoint saved it."""
        if self._random is not None:
            set_random_state(self._random)
        self._random = None

    def _train_step(self, batch: int, data: Any) -> None:
        """Run mmengine's step with its hooks; count the batch before hooks save a checkpoint."""
        runner = self.runner
        runner.call_hook('before_train_iter', batch_idx=batch, data_batch=data)
        outputs = runner.model.train_step(data, optim_wrapper=runner.optim_wrapper)
        self._count_batch(batch)
        runner.call_hook('after_train_iter', batch_idx=batch, data_batch=data, outputs=outputs)
        self._iter += 1

    def _count_batch(self, batch: int) -> None:
        raise NotImplementedError

    def _validate(self) -> None:
        self.runner.val_loop.run()
        self.position.validated = True


@LOOPS.register_module()
class EpochBasedTrainLoop(ResumableLoop, MMEngineEpochBasedTrainLoop):
    """mmengine's loop over epochs, with the same arguments.

    From a checkpoint written inside an epoch (`CheckpointHook(by_epoch=False)`) it resumes after
    that checkpoint's last batch. If a validation was due then, it is run first, since schedules
    may depend on it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.position = Position(images=images_per_iteration(self.dataloader))

    def run(self) -> nn.Module:
        """Train to the end."""
        if self.nothing_left:
            return self.runner.model
        self.runner.call_hook('before_train')
        if not self.position.batch:
            self._restore_random()
            if not self.position.validated:
                self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train on the remaining batches of an epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self.position.batch
        batches = remaining_batches(self.dataloader, done)
        self._restore_random()
        for batch, data in enumerate(batches, start=done):
            self.run_iter(batch, data)
        self.position.batch = 0
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train on one batch."""
        self._train_step(idx, data_batch)

    def position_from_counters(self, images: int) -> Position:
        """See the base class."""
        done = self._iter - self._epoch * len(self.dataloader)
        inside = 0 < done <= len(self.dataloader)
        return Position(batch=done if inside else 0, images=images)

    def _count_batch(self, batch: int) -> None:
        self.position.batch = batch + 1
        self.position.validated = False

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is not None and self._epoch >= self.val_begin and due:
            self._validate()


@LOOPS.register_module()
class IterBasedTrainLoop(ResumableLoop, MMEngineIterBasedTrainLoop):
    """mmengine's loop over iterations, with the same arguments.

    It resumes without reading trained batches again (mmengine#1520), and starts the loader's
    workers in `run`, not earlier.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: DataLoader | dict[str, Any],
        max_iters: int,
        val_begin: int = 1,
        val_interval: int = 1000,
        dynamic_intervals: list[tuple[int, int]] | None = None,
    ) -> None:
        # mmengine's own constructor would start reading batches, in an order that may change.
        BaseLoop.__init__(self, runner, dataloader)
        if int(max_iters) != max_iters:
            raise ValueError(f'max_iters must be an integer, got {max_iters}')
        self._max_iters = int(max_iters)
        self._max_epochs = 1
        self._epoch = 0
        self._iter = 0
        self.val_begin = val_begin
        self.val_interval = val_interval
        self.stop_training = False
        self.position = Position(images=images_per_iteration(self.dataloader))
        self.runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, 'metainfo', None)
        self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(
            self.val_interval, dynamic_intervals
        )

    def run(self) -> nn.Module:
        """Train to the end."""
        if self.nothing_left:
            return self.runner.model
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        position = self.position
        self.dataloader_iterator = BatchStream(self.dataloader, position.epoch, position.batch)
        self._restore_random()
        if not position.validated:
            self._validate_if_due()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._validate_if_due()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch: Any) -> None:
        """Train on one batch."""
        self._train_step(self._iter, data_batch)

    def position_from_counters(self, images: int) -> Position:
        """See the base class."""
        if isinstance(sampler_of(self.dataloader), InfiniteSampler):
            return Position(batch=self._iter, images=images)
        epoch, batch = divmod(self._iter, len(self.dataloader))
        return Position(epoch, batch, images)

    def _count_batch(self, batch: int) -> None:
        stream = self.dataloader_iterator
        self.position.epoch, self.position.batch = stream.epoch, stream.batch
        self.position.validated = False

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        if self.runner.val_loop is not None and self._iter >= self.val_begin and due:
            self._validate()


# What configs call mmengine's training loops → this package's.
_LOOPS: dict[Any, type[ResumableLoop]] = {
    **dict.fromkeys(
        ('EpochBased', 'EpochBasedTrainLoop', MMEngineEpochBasedTrainLoop), EpochBasedTrainLoop
    ),
    **dict.fromkeys(
        ('IterBased', 'IterBasedTrainLoop', MMEngineIterBasedTrainLoop), IterBasedTrainLoop
    ),
}


def resumable(loop: Any) -> Any:
    """Replace the type of mmengine's loops in a config by this package's."""
    if not isinstance(loop, dict):
        return loop
    kind = loop.get('type') or ('EpochBased' if loop.get('by_epoch') else 'IterBased')
    if kind not in _LOOPS:
        return loop
    return {**{k: v for k, v in loop.items() if k != 'by_epoch'}, 'type': _LOOPS[kind]}
