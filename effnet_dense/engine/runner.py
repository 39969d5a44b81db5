"""mmengine's runner, whose checkpoints come in through our doors, on CPUs as well as GPUs."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.device import get_device
from mmengine.dist import broadcast_object_list, is_distributed, master_only
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.runner import BaseLoop
from mmengine.runner import Runner as MMEngineRunner
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from effnet_dense.data.seeding import seed_draws, set_loader_seed
from effnet_dense.engine.channels_last import use_channels_last
from effnet_dense.engine.checks.batch_size import accumulated, batch_size_note, param_groups
from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.engine.compiled import compile_parts
from effnet_dense.engine.console import quieten_console
from effnet_dense.engine.hooks.checkpoint import CheckpointHook
from effnet_dense.engine.hooks.finite import FiniteHook
from effnet_dense.engine.hooks.progress_bar import ProgressHook, wants_progress
from effnet_dense.engine.hooks.stopping import StopHook, told_end
from effnet_dense.engine.loops import EpochBasedTrainLoop, IterBasedTrainLoop, Resumable
from effnet_dense.engine.processes import export_variables, start_gloo
from effnet_dense.engine.resume.checkpoints import find_whole_checkpoint, read_training_state
from effnet_dense.engine.resume.restore import go_on
from effnet_dense.registry import RUNNERS
from effnet_dense.report import ReportHook
from effnet_dense.utils.atomic import atomic_path
from effnet_dense.utils.wrappers import unwrap_model
from effnet_dense.weights import check_normalisation, load_weights
from effnet_dense.weights.mmengine_loader import register_safe_loader

_STARTED: Counter[str] = Counter()


@RUNNERS.register_module()
class Runner(MMEngineRunner):
    """A runner that mmdet's and mmseg's configs select by `runner_type='effnet_dense.Runner'`.

    - `load_from` and the checkpoint of tools/test.py are any source of `load_weights`: names of
      other ecosystems are found, nothing in a file can run code, nothing loaded is an error.
      `load_from_ignore=['bbox_head.']` keeps parts of the model as they are, such as the head
      when a detector of other classes is fine-tuned.
    - `resume` reads mmengine's training state with weights_only=True, and goes on in the middle
      of an epoch as if the run had never stopped; without a name from the newest whole one.
    - Checkpoints replace their predecessor whole: a kill while writing leaves the old file.
    - Ctrl-C saves a checkpoint and stops.
    - `compile=True`, or a dict of torch.compile's options, compiles backbone, neck and dense heads.
    - `channels_last=True` keeps weights and features in that memory format.
    - Every random draw of the data depends on (seed, epoch, sample) alone: see `seed_draws`.
    - Every evaluation leaves a page about the run in the work folder's report/, except with
      `report=False`, and runs in a terminal have progress bars.
    - Processes on machines without a GPU talk over gloo, and train with BN for SyncBN.
    """

    _resume: bool
    _load_from: str | None
    _has_loaded: bool
    _resumed_meta: dict[str, Any]

    @classmethod
    def from_cfg(cls, cfg: Any) -> MMEngineRunner:
        """Build from a config whose normalisation is that of its weights.

        Raises:
            ValueError: the data preprocessor's mean or std are not those of the weights.
        """
        check_normalisation(cfg)
        return super().from_cfg(cfg)

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Start the process group, over gloo where there is no GPU; then mmengine's settings."""
        register_safe_loader()
        if self.distributed and not is_distributed():
            export_variables(self.launcher)
            if get_device() == 'cpu':
                start_gloo(self.launcher, env_cfg.get('dist_cfg', {}).get('timeout'))
        super().setup_env(env_cfg)
        # mmengine names folders, loggers and message hubs by the second of the start: two runs of
        # one process within it would share them.
        _STARTED[self._timestamp] += 1
        if _STARTED[self._timestamp] > 1:
            self._timestamp += f'_{_STARTED[self._timestamp]}'

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger; what fills pages goes to its file alone (see `console`)."""
        logger = super().build_logger(*args, **kwargs)
        quieten_console(logger)
        return logger

    def build_visualizer(self, visualizer: Any = None) -> Visualizer:
        """Build a visualizer of this run's own.

        mmengine keeps visualizers by name: a second run in one process would write into the first
        one's folder.
        """
        if isinstance(visualizer, dict):
            name = f'{visualizer.get("name", "visualizer")}_{self.experiment_name}'
            visualizer = {**visualizer, 'name': name}
        return super().build_visualizer(visualizer)

    def build_model(self, model: nn.Module | dict[str, Any]) -> nn.Module:
        """Build the model; what its parts object to is a ValueError.

        Raises:
            ValueError: an unknown or impossible argument, or a neck or head that expects other
                channels than the backbone gives.
        """
        with built_from('model'):
            built = super().build_model(model)
        check_channels(built)
        if self.cfg.get('channels_last'):
            use_channels_last(built)
        return built

    def build_train_loop(self, loop: Any) -> BaseLoop:
        """Build the loop and its data; an unknown or impossible argument is a ValueError."""
        with built_from('train_cfg or train_dataloader'):
            return super().build_train_loop(_resumable(loop))

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict[str, Any],
        seed: int | None = None,
        diff_rank_seed: bool = False,
    ) -> DataLoader:
        """Build a loader whose samples are drawn by (seed, epoch, index): see `seed_draws`."""
        loader = MMEngineRunner.build_dataloader(dataloader, seed, diff_rank_seed)
        if seed is None or isinstance(dataloader, DataLoader):
            return loader
        return seed_draws(loader, seed)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Build the optimizer; an unknown or impossible argument is a ValueError."""
        with built_from('optim_wrapper'):
            return super().build_optim_wrapper(optim_wrapper)

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict[str, Any] | None = None) -> None:
        """Scale the learning rate if asked, else say if it is meant for another batch size.

        Batches that are accumulated count as well, which mmengine leaves out.
        """
        note = batch_size_note(self, optim_wrapper)
        if note:
            self.logger.warning(note)
        super().scale_lr(optim_wrapper, auto_scale_lr)
        if (auto_scale_lr or {}).get('enable'):
            for group in param_groups(optim_wrapper):
                group['lr'] *= accumulated(optim_wrapper)

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Wrap for several processes; on the CPU without device_ids and without SyncBN."""
        if not self.distributed or get_device() != 'cpu':
            return super().wrap_model(model_wrapper_cfg, model)
        find_unused = self.cfg.get('find_unused_parameters', False)
        wrapper = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            find_unused_parameters=find_unused,
        )
        wrapper.update(model_wrapper_cfg or {}, device_ids=None)
        self.cfg.pop('sync_bn', None)
        return super().wrap_model(wrapper, revert_sync_batchnorm(model))

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the config's hooks, and those that the runner's other promises need."""
        with built_from('default_hooks or custom_hooks'):
            super().register_hooks(*args, **kwargs)
        self.register_hook(PlainSchedulerStates())
        self._stop = StopHook()
        self.register_hook(self._stop)
        if not any(isinstance(hook, FiniteHook) for hook in self.hooks):
            self.register_hook(FiniteHook())
        if self.cfg.get('report', True):
            self.register_hook(ReportHook())
        if wants_progress():
            self.register_hook(ProgressHook())

    def register_hook(self, hook: Hook | dict[str, Any], priority: Any = None) -> None:
        """Register a hook; in the place of mmengine's CheckpointHook ours."""
        kinds = ('CheckpointHook', MMEngineCheckpointHook)
        if isinstance(hook, dict) and hook.get('type') in kinds:
            hook = {**hook, 'type': CheckpointHook}
        super().register_hook(hook, priority)

    def train(self) -> nn.Module:
        """Train; an end before the end says from where to go on (see `told_end`)."""
        with told_end(self.work_dir), self._stop.listening(alone=self.world_size == 1):
            return super().train()

    def _maybe_compile(self, target: str) -> None:
        """Compile the model's parts, as the config's `compile` asks: see `compile_parts`."""
        options = self.cfg.get('compile')
        if options is None or options is False:
            return
        if options is not True and not isinstance(options, dict):
            raise ValueError(f'compile must be true, false or a dict, got {options!r}')
        model = unwrap_model(self.model)
        parts = compile_parts(model, **({} if options is True else options))
        self.logger.info(f'compiling {", ".join(parts)}: the first steps take minutes')

    def load_or_resume(self) -> None:
        """Load or resume; without a name the work folder's newest whole checkpoint."""
        if self._resume and self._load_from is None and not self._has_loaded:
            # One process looks, so that all go on from the same.
            found = [find_whole_checkpoint(self.work_dir) if self.rank == 0 else None]
            broadcast_object_list(found)
            if found[0] is None:
                self.logger.info(f'no checkpoint in {self.work_dir} yet: starting anew')
                self._resume = False
            self._load_from = str(found[0]) if found[0] else self.cfg.get('load_from_first')
        super().load_or_resume()

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Go on from a training state, behind its last batch; see mmengine's for arguments."""
        super().resume(filename, *args, **kwargs)
        set_loader_seed(self.train_dataloader, self.seed)
        if isinstance(self.train_loop, Resumable):
            go_on(self, self._resumed_meta)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable[..., Any] = 'cpu',
        strict: bool = False,
        revise_keys: list[tuple[str, str]] | None = None,
    ) -> dict[str, Any]:
        """Load weights from any source, or, while resuming, a training state.

        Args:
            filename: A source of `effnet_dense.load_weights`; to resume, a file of our own.
            map_location, strict, revise_keys: Ignored. Tensors are read on the CPU and copied into
                the model; `load_weights` says what must be there, and finds prefixes by itself.

        Returns:
            The checkpoint: `state_dict`, and the training state while resuming.

        Raises:
            FileNotFoundError: no such file.
            ValueError: not a checkpoint, damaged, or of another model; outside of training also
                one that lacks weights of the model.
        """
        model = unwrap_model(self.model)
        if self._resume:
            checkpoint = read_training_state(filename)
            self._resumed_meta = checkpoint['meta']
        else:
            report = load_weights(model, filename, ignore=self.cfg.get('load_from_ignore', ()))
            if report.missing and not isinstance(self._train_loop, BaseLoop):
                raise ValueError(
                    f'{filename} cannot be evaluated, the model needs more than it holds: {report}'
                )
            checkpoint = dict(state_dict=model.state_dict())
        # Hooks may change the weights: EMAHook swaps the averaged ones for those being trained.
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        _load_own(model, checkpoint['state_dict'], filename)
        self._has_loaded = True
        return checkpoint

    @master_only
    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write a checkpoint whole or not at all; see mmengine's method for the arguments."""
        if '://' in out_dir or file_client_args or kwargs.get('backend_args'):
            super().save_checkpoint(out_dir, filename, file_client_args, **kwargs)
            return
        with atomic_path(Path(out_dir, filename)) as part:
            super().save_checkpoint(out_dir, part.name, **kwargs)


class PlainSchedulerStates(Hook):
    """Drop functions from the schedulers' states: weights_only=True refuses to read them again.

    `OneCycleLR` keeps its annealing function among its attributes; it makes it anew when built.
    """

    def before_save_checkpoint(self, runner: MMEngineRunner, checkpoint: dict[str, Any]) -> None:
        """Drop them from a checkpoint that is about to be written."""
        states = checkpoint.get('param_schedulers', [])
        groups = states.values() if isinstance(states, dict) else [states]
        for group in groups:
            group[:] = [{k: v for k, v in state.items() if not callable(v)} for state in group]


@contextmanager
def built_from(part: str) -> Iterator[None]:
    """Say which part of the config an unknown or impossible argument stands in."""
    try:
        yield
    except (TypeError, AttributeError, AssertionError) as error:
        raise ValueError(f'{part} cannot be built from the config: {_why(error)}') from error


def _resumable(loop: Any) -> Any:
    """The config of one of mmengine's two loops, with our type."""
    if not isinstance(loop, dict):
        return loop
    kind = loop.get('type') or ('EpochBased' if loop.get('by_epoch') else 'IterBased')
    for ours in (EpochBasedTrainLoop, IterBasedTrainLoop):
        if kind in (ours.__name__, ours.__mro__[2], ours.__name__.removesuffix('TrainLoop')):
            return {**{k: v for k, v in loop.items() if k != 'by_epoch'}, 'type': ours}
    return loop


def _load_own(model: nn.Module, state_dict: dict[str, Any], filename: str) -> None:
    try:
        model.load_state_dict(state_dict)
    except RuntimeError as error:
        raise ValueError(f'{filename} is a checkpoint of another model: {error}') from error


def _why(error: Exception) -> str:
    """An error's message; of a bare assertion, the line that failed."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return str(error) or f'{frame.line} ({Path(frame.filename).name}, line {frame.lineno})'
