"""Write checkpoints in an order that leaves a complete one if the run is killed at any moment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from effnet_dense.engine.hooks import best
from effnet_dense.engine.hooks.best import Best
from effnet_dense.engine.loops import ResumableLoop
from effnet_dense.engine.resume.checkpoints import LAST, last_checkpoint
from effnet_dense.engine.resume.contents import COUNTED, count_states
from effnet_dense.engine.resume.progress import gather_progress
from effnet_dense.registry import HOOKS
from effnet_dense.utils.outputs import (
    adopt,
    check_free,
    check_not_read,
    is_listed,
    is_ours,
    release,
    write_output,
)

INTERRUPTED = 'interrupted.pth'
BEST = re.compile(r'best_.+_(?:epoch|iter)_(\d+)\.pth')


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """mmengine's hook, with the same arguments, file names and content, and three differences.

    - mmengine removes an old checkpoint, then writes the new one: with `max_keep_ckpts=1` there
      is none in between. Here the old one is removed after the new one is on the disk and
      `last_checkpoint` names it.
    - A checkpoint also has the run's progress (`meta['progress']`, see `resume.progress`), from
      which `loops` resume exactly.
    - Without `save_best` the weights of the best validation are kept as `best.pth`, by the result
      that `best.followed_metric` chooses. `max_keep_ckpts` does not count it, and a resumed run
      replaces it by a better one only. Neither `interval=-1`, which writes no checkpoints, nor
      `save_best=[]` writes it.
    """

    keeps_best = False

    def before_train(self, runner: Runner) -> None:
        """Prepare folders; from here on removals are deferred.

        Raises:
            FileExistsError: The run would replace files that the package did not write.
            ValueError: It would replace the weights that it starts from.
        """
        hooks = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
        unset = all(hook.save_best is None for hook in hooks)
        self.keeps_best = self is hooks[0] and unset and self.interval > 0
        self._forget_outdated(runner)
        super().before_train(runner)
        self.file_backend: Any = DeferredRemoval(self.file_backend)
        self._check_files(runner)
        self._take_best(runner)

    def _forget_outdated(self, runner: Runner) -> None:
        """Shorten the list of kept checkpoints, whose beginning mmengine would remove unasked."""
        kept = runner.message_hub.runtime_info.get('keep_ckpt_ids')
        if kept and 0 < self.max_keep_ckpts < len(kept):
            runner.message_hub.update_info('keep_ckpt_ids', list(kept)[-self.max_keep_ckpts :])

    def _check_files(self, runner: Runner) -> None:
        """Check the files that the run will write; resuming, take over those of mmengine's runs.

        `last_checkpoint` is always taken over: people write it to choose where to resume.
        """
        if '://' in self.out_dir:
            return
        future = list(self._future_files(runner))
        last, named = Path(runner.work_dir, LAST), last_checkpoint(runner.work_dir)
        if runner._resume and last.is_file():
            # A run of this package has listed its own ones: others are the user's.
            others = [] if is_listed(last) or named is None or not named.is_file() else future
            for path in [last, *others]:
                adopt(path)
        start = None if runner._resume else runner._load_from
        check_not_read(future, [start] if start else [])
        check_free(future)

    def _future_files(self, runner: Runner) -> Iterator[Path]:
        """Yield existing files whose names this run will write."""
        done, end = runner.iter, runner.max_iters
        if self.by_epoch:
            done, end = runner.epoch, runner.max_epochs
        steps = range(done + 1, end + 1)
        names = {self.filename_tmpl.format(step) for step in steps} | {INTERRUPTED}
        names |= {best.FILE} if self.keeps_best else set()
        for path in Path(self.out_dir).glob('*'):
            found = BEST.fullmatch(path.name)
            if path.name in names or (found and int(found[1]) in steps):
                yield path
        yield from Path(runner.work_dir).glob(LAST)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint."""
        loop = runner._train_loop
        if isinstance(loop, ResumableLoop):
            loop.position.validated = True
        super().after_val_epoch(runner, metrics)
        if self.keeps_best and isinstance(loop, BaseLoop):
            self._keep_best(runner, metrics)
        self._remove_outdated()

    def _take_best(self, runner: Runner) -> None:
        """Continue with what the work folder's best checkpoint says, if the run is resumed."""
        if not self.keeps_best or '://' in self.out_dir:
            return
        info = runner.message_hub.runtime_info
        info.pop(best.KEY, None)
        if runner._resume:
            found = [best.saved_best(Path(self.out_dir, best.FILE)) if is_main_process() else None]
            broadcast_object_list(found)
            if found[0] is not None:
                runner.message_hub.update_info(best.KEY, found[0].as_dict())

    def _keep_best(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Write `best.pth` if a validation is better than those before."""
        known = best.best_in(runner.message_hub.runtime_info)
        name = known.metric if known and known.metric in metrics else best.followed_metric(metrics)
        if name is None or not best.is_figure(metrics[name]):
            return
        if known and name == known.metric and not best.is_better(metrics[name], known.value, name):
            return
        step = runner.epoch if self.by_epoch else runner.iter
        found = Best(name, float(metrics[name]), step, self.by_epoch)
        meta = dict(epoch=runner.epoch, iter=runner.iter, **{best.KEY: found.as_dict()})
        runner.message_hub.update_info(best.KEY, found.as_dict())
        runner.save_checkpoint(
            self.out_dir,
            best.FILE,
            self.file_client_args,
            save_optimizer=False,
            save_param_scheduler=False,
            meta=meta,
            by_epoch=False,
            backend_args=self.backend_args,
        )

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best checkpoint; none where a metric had nothing to compute, as without boxes.

        Raises:
            KeyError: The metric computed other results.
        """
        for name in self.save_best or ():
            prefix = name[: name.rfind('/') + 1]
            if name not in metrics and not any(key.startswith(prefix) for key in metrics):
                runner.logger.warning(
                    f'the validation computed no {name}: no best checkpoint is saved this time'
                )
                return
        super()._save_best_checkpoint(runner, metrics)

    def save_interrupted(self, runner: Runner) -> str:
        """Save the state after the current step, apart from the regular checkpoints.

        Returns:
            The checkpoint's path.
        """
        meta = dict(epoch=runner.epoch, iter=runner.iter + 1)
        self._write(runner, INTERRUPTED, meta)
        return str(self.last_ckpt)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Note the number of optimizer states, by which a cut one is found."""
        progress = checkpoint['meta'].get('progress')
        if progress is not None and 'optimizer' in checkpoint:
            progress[COUNTED] = count_states(checkpoint['optimizer'])

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        if self.max_keep_ckpts > 0:
            self._keep(runner, step)
        self._write(runner, self.filename_tmpl.format(step), meta)

    def _keep(self, runner: Runner, step: int) -> None:
        """Add a step to those that are kept; beyond `max_keep_ckpts` the oldest is removed."""
        kept = self.keep_ckpt_ids
        if kept and kept[-1] == step:
            return
        if len(kept) == self.max_keep_ckpts:
            old = self.filename_tmpl.format(kept.popleft())
            self.file_backend.remove(self.file_backend.join_path(self.out_dir, old))
        kept.append(step)
        runner.message_hub.update_info('keep_ckpt_ids', list(kept))

    def _write(self, runner: Runner, filename: str, meta: dict[str, Any]) -> None:
        """Write a checkpoint, name it in `last_checkpoint`, and only then remove old ones."""
        loop = runner.train_loop
        if isinstance(loop, ResumableLoop):
            progress = gather_progress(loop.position, runner.model, runner.optim_wrapper)
            meta = {**meta, 'progress': progress}
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_output(Path(runner.work_dir, LAST), str(self.last_ckpt))
        self._remove_outdated()

    def _remove_outdated(self) -> None:
        kept = [getattr(self, 'best_ckpt_path', None)]
        kept += getattr(self, 'best_ckpt_path_dict', {}).values()
        if isinstance(self.file_backend, DeferredRemoval):
            self.file_backend.remove_now(keep={str(path) for path in (*kept, self.last_ckpt)})


class DeferredRemoval:
    """A file backend whose `remove` waits for `remove_now`."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.outdated: list[str] = []

    def remove(self, path: str) -> None:
        """Schedule a file for removal."""
        self.outdated.append(path)

    def remove_now(self, keep: set[str]) -> None:
        """Remove the scheduled files of the package, except `keep`, in the main process."""
        outdated, self.outdated = self.outdated, []
        for path in outdated if is_main_process() else ():
            ours = '://' in path or is_ours(path)
            if path not in keep and ours and self.backend.isfile(path):
                self.backend.remove(path)
                if '://' not in path:
                    release(path)

    def __getattr__(self, name: str) -> Any:
        if name == 'backend':
            raise AttributeError(name)
        return getattr(self.backend, name)


class PlainSchedulerStates(Hook):
    """Drop functions from the schedulers' saved states, which weights_only=True refuses to read.

    `OneCycleLR` keeps its annealing function as an attribute, and sets it again when built.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Drop functions from a checkpoint before it is written."""
        states = checkpoint.get('param_schedulers', [])
        groups = states.values() if isinstance(states, dict) else [states]
        for group in groups:
            group[:] = [{k: v for k, v in state.items() if not callable(v)} for state in group]
