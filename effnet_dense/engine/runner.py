"""Run mmdet's and mmseg's configs, with safe checkpoints and exact resuming, on GPUs and CPUs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, is_distributed, master_only
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.hooks import Hook
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import is_model_wrapper, revert_sync_batchnorm
from mmengine.runner import BaseLoop
from mmengine.runner import Runner as MMEngineRunner
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from effnet_dense.data.batch_buffers import share_one_buffer
from effnet_dense.data.coco.label_order import use_label_order
from effnet_dense.data.seeding import seed_draws, set_loader_seed
from effnet_dense.data.transforms.packing import pack_faster
from effnet_dense.engine.asynchronous_copies import copy_asynchronously, with_pinned_memory
from effnet_dense.engine.cached_text import with_cached_text
from effnet_dense.engine.channels_last import use_channels_last
from effnet_dense.engine.checkpoint_of_run import (
    compare_checkpoint,
    has_own_classes,
    log_other_classes,
)
from effnet_dense.engine.checks.arguments import check_arguments
from effnet_dense.engine.checks.batch_size import (
    accumulated_batches,
    accumulation_warning,
    batch_size_warning,
    param_groups,
)
from effnet_dense.engine.checks.batches import (
    check_evaluated_batches,
    check_training_batches,
    unfilled_batch_warning,
)
from effnet_dense.engine.checks.channels import check_channels
from effnet_dense.engine.checks.classes import check_classes
from effnet_dense.engine.checks.fixed_statistics import check_fixed_statistics
from effnet_dense.engine.checks.loading import loading_warnings
from effnet_dense.engine.checks.monitored import check_metrics, check_monitored, unvalidated
from effnet_dense.engine.checks.schedule import check_factors, flat, schedule_warnings
from effnet_dense.engine.checks.single_values import single_values
from effnet_dense.engine.checks.top_level import check_model
from effnet_dense.engine.class_rows import load_by_class
from effnet_dense.engine.compiled import compile_parts
from effnet_dense.engine.console import quieten_console
from effnet_dense.engine.cuda_graphs import check_cuda_graphs, use_cuda_graphs
from effnet_dense.engine.deferred_scalars import DeferredScalars
from effnet_dense.engine.devices import run_device, use_device
from effnet_dense.engine.fused_steps import with_fused_steps
from effnet_dense.engine.hooks.averages import GroupedAveragesHook
from effnet_dense.engine.hooks.checkpoint import CheckpointHook, PlainSchedulerStates
from effnet_dense.engine.hooks.cuda_graphs import CUDAGraphsHook
from effnet_dense.engine.hooks.finite import FiniteHook
from effnet_dense.engine.hooks.finite_outputs import FiniteOutputsHook
from effnet_dense.engine.hooks.first_step import FirstStepHook
from effnet_dense.engine.hooks.num_classes import NumClassesHook
from effnet_dense.engine.hooks.progress import ProgressHook, is_interactive
from effnet_dense.engine.hooks.stopping import StopHook, resume_hint
from effnet_dense.engine.hooks.summary import SummaryHook
from effnet_dense.engine.lock import training_lock
from effnet_dense.engine.loops import ResumableLoop, resumable
from effnet_dense.engine.merged_groups import step_in_merged_groups
from effnet_dense.engine.output_claims import (
    ImageOutputsHook,
    check_config_outputs,
    claimed_outputs,
)
from effnet_dense.engine.processes import export_variables, start_gloo
from effnet_dense.engine.quiet import quiet_libraries
from effnet_dense.engine.reduced_decoding import use_reduced_decoding
from effnet_dense.engine.resume.checkpoints import find_complete_checkpoint
from effnet_dense.engine.resume.loading import copy_weights, load_training_state
from effnet_dense.engine.resume.restore import finished, is_validated, restore_progress
from effnet_dense.engine.schedule_steps import in_iterations, shorten_warm_ups
from effnet_dense.engine.start_times import unique_start
from effnet_dense.engine.unset import without_unset
from effnet_dense.evaluation.no_detections import use_zeros
from effnet_dense.evaluation.visualizer import check_drawing, own_visualizer
from effnet_dense.registry import RUNNERS
from effnet_dense.utils.config_errors import config_errors
from effnet_dense.utils.outputs import new_output
from effnet_dense.utils.run_lock import Lock
from effnet_dense.utils.saved_config import KEY, config_text
from effnet_dense.utils.urls import public_name
from effnet_dense.utils.wrappers import unwrap_model
from effnet_dense.weights import check_normalisation, load_weights

LOADERS = ('_train_dataloader', '_val_dataloader', '_test_dataloader')


@RUNNERS.register_module()
class Runner(MMEngineRunner):
    """The runner that configs select by `runner_type='effnet_dense.Runner'`.

    - `load_from` and the checkpoint of tools/test.py are any source of `load_weights`: other
      ecosystems' keys are translated, no file can run code, and loading nothing is an error.
      `load_from_ignore=['bbox_head.']` leaves modules unchanged, such as the head when a detector
      is fine-tuned to other classes; `load_from_rows=True` keeps the head's weights of classes of
      the same name.
    - `resume` reads mmengine's training state with weights_only=True and resumes in the middle
      of an epoch, with the results of an uninterrupted run; without a file, from the newest
      complete one.
    - Checkpoints are written atomically: a kill while writing leaves the old file. The weights of
      the best validation are kept as best.pth.
    - The console shows what people read (see `SummaryHook`), the log file everything; with
      `log_level='DEBUG'` the console shows everything, too.
    - Ctrl-C saves a checkpoint and stops.
    - A lock keeps two trainings out of one work folder.
    - `cuda_graphs=True` replays backbone, neck and heads from CUDA graphs in training.
    - `compile=True`, or a dict of torch.compile's options, compiles backbone, neck and dense heads.
    - `device='cpu'` or 'cuda:1' chooses where a run in one process computes.
    - Schedules may have fractions of an epoch, with `convert_to_iter_based=True`.
    - `max_warm_up=0.1` limits warm-ups that count iterations to that share of the training.
    - `reduced_decoding=True` decodes JPEG images of training as small as possible.
    - `channels_last=True` keeps weights and features in that memory format.
    - The data's random numbers depend only on (seed, epoch, sample): see `seed_draws`.
    - Every evaluation writes a page into the work folder's report/, except with `report=False`;
      in a terminal, runs have progress bars.
    - Processes on machines without a GPU communicate over gloo, and train with BN for SyncBN.
    """

    _timestamp: str
    _lock: Lock | None = None
    _resume: bool
    _load_from: str | None
    _has_loaded: bool
    _resumed_meta: dict[str, Any]
    _resumed_parts: tuple[bool, bool] = (True, True)
    optim_wrapper: Any
    param_schedulers: Any

    @classmethod
    def from_cfg(cls, cfg: Any) -> MMEngineRunner:
        """Build the runner, after checks of the config's arguments and normalisation.

        Raises:
            ValueError: An argument that nothing reads or that would end the run later; or the data
                preprocessor's mean or std differ from those of the weights.
        """
        check_model(cfg)
        check_arguments(cfg)
        check_config_outputs(cfg, ())
        check_normalisation(cfg)
        with quiet_libraries():
            runner = super().from_cfg(with_cached_text(without_unset(cfg)))
        for line in loading_warnings(cfg):
            runner.logger.warning(line)
        return runner

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Start the process group, over gloo without a GPU, before mmengine's own setup."""
        if self.distributed and not is_distributed():
            export_variables(self.launcher)
            if run_device(self.cfg) == 'cpu':
                start_gloo(self.launcher, (env_cfg.get('dist_cfg') or {}).get('timeout'))
        use_device(self.cfg)
        super().setup_env({key: value for key, value in env_cfg.items() if value is not None})
        for name in LOADERS:
            loader = with_pinned_memory(getattr(self, name, None), self._device_type)
            setattr(self, name, loader)
        self._timestamp = unique_start(self._timestamp)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger, whose long listings go to the file only (see `console`)."""
        logger = super().build_logger(*args, **kwargs)
        quieten_console(logger)
        return logger

    def build_message_hub(self, message_hub: dict[str, Any] | None = None) -> MessageHub:
        """Build the hub of logged values, which leaves losses on a GPU until they are read."""
        return DeferredScalars.adopt(super().build_message_hub(message_hub))

    def build_visualizer(self, visualizer: Any = None) -> Visualizer:
        """Build a visualizer with a unique name; this package's in place of mmdet's and mmseg's.

        mmengine keeps visualizers by name: a second run in one process would write into the first
        one's folder.
        """
        if isinstance(visualizer, dict):
            check_drawing(visualizer)
            name = f'{visualizer.get("name", "visualizer")}_{self.experiment_name}'
            visualizer = {**own_visualizer(visualizer), 'name': name}
        return super().build_visualizer(visualizer)

    def build_model(self, model: nn.Module | dict[str, Any]) -> nn.Module:
        """Build the model and check its channels.

        Raises:
            ValueError: An unknown or impossible argument, or a neck or head that expects other
                channels than the backbone returns.
        """
        with config_errors('model', values=True, config={'model': model}):
            built = super().build_model(model)
        check_channels(built)
        if self.cfg.get('channels_last'):
            use_channels_last(built)
        copy_asynchronously(built, self._device_type)
        return built

    @property
    def _device_type(self) -> str:
        """'cuda' or 'cpu', for example."""
        return torch.device(run_device(self.cfg)).type

    def build_train_loop(self, loop: Any) -> BaseLoop:
        """Build the resumable loop of the config's kind, and its data loader.

        Raises:
            ValueError: An unknown or impossible argument.
        """
        parts = {'train_cfg': loop, 'train_dataloader': self._train_dataloader}
        with config_errors('train_cfg or train_dataloader', config=parts):
            built = super().build_train_loop(resumable(loop))
        if self.cfg.get('reduced_decoding'):
            use_reduced_decoding(built.dataloader.dataset, self.hooks)
        check_training_batches(built.dataloader)
        lines = [unfilled_batch_warning(built.dataloader)]
        lines += unvalidated(self.hooks) if self._val_loop is None else []
        for line in filter(None, lines):
            self.logger.warning(line)
        return built

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict[str, Any],
        seed: int | None = None,
        diff_rank_seed: bool = False,
    ) -> DataLoader:
        """Build a loader whose random numbers depend on (seed, epoch, index): see `seed_draws`.

        Its samples are packed, and handed over by its processes, faster than by mmengine's.

        Raises:
            ValueError: See `use_label_order`.
        """
        loader = share_one_buffer(MMEngineRunner.build_dataloader(dataloader, seed, diff_rank_seed))
        use_label_order(loader.dataset)
        pack_faster(loader.dataset)
        if seed is None or isinstance(dataloader, DataLoader):
            return loader
        return seed_draws(loader, seed)

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Build the optimizer: on a GPU torch's fused one, unless the config says otherwise.

        Raises:
            ValueError: An unknown or impossible argument.
        """
        with config_errors('optim_wrapper', values=True):
            built = super().build_optim_wrapper(with_fused_steps(optim_wrapper, self._device_type))
        step_in_merged_groups(built)
        return built

    def scale_lr(self, optim_wrapper: Any, auto_scale_lr: dict[str, Any] | None = None) -> None:
        """Scale the learning rate if enabled, else warn if it is meant for another batch size.

        Unlike mmengine, count accumulated batches.
        """
        for warning in (
            batch_size_warning(self, optim_wrapper),
            accumulation_warning(self.max_iters, optim_wrapper),
        ):
            if warning:
                self.logger.warning(warning)
        super().scale_lr(optim_wrapper, auto_scale_lr)
        if (auto_scale_lr or {}).get('enable'):
            for group in param_groups(optim_wrapper):
                group['lr'] *= accumulated_batches(optim_wrapper)

    def build_param_scheduler(self, scheduler: Any) -> Any:
        """Build the schedules of learning rate and others; warn of ends that are not the run's.

        Raises:
            ValueError: An unknown or impossible argument.
        """
        scheduler = self._scheduler_steps(scheduler)
        with config_errors('param_scheduler', values=True):
            built = super().build_param_scheduler(scheduler)
            check_factors(flat(built))
        if isinstance(self._train_loop, BaseLoop) and any(
            isinstance(part, dict) for part in flat(scheduler)
        ):
            for line in schedule_warnings(flat(built), self.max_epochs, self.max_iters):
                self.logger.warning(line)
        return built

    def _scheduler_steps(self, scheduler: Any) -> Any:
        """Return the schedules' config with fractions of epochs, and short warm-ups, in steps."""
        if scheduler is None or not isinstance(self._train_loop, BaseLoop):
            return scheduler
        scheduler = in_iterations(scheduler, len(self.train_dataloader))
        share = self.cfg.get('max_warm_up')
        if share is not None:
            scheduler, lines = shorten_warm_ups(scheduler, share, self.max_iters)
            for line in lines:
                self.logger.info(line)
        return scheduler

    def build_val_loop(self, loop: Any) -> BaseLoop:
        """Build the validation: its data loader and metrics.

        Raises:
            ValueError: An unknown or impossible argument, other classes than in training, or a
                checkpoint is to follow a metric that is not computed.
        """
        parts = {'val_dataloader': self._val_dataloader, 'val_evaluator': self._val_evaluator}
        with config_errors(f'val_cfg, {" or ".join(parts)}', values=True, config=parts):
            built = super().build_val_loop(loop)
        check_evaluated_batches('val_dataloader', built.dataloader)
        known = check_metrics('val_evaluator', built.evaluator)
        use_zeros(built.evaluator)
        if isinstance(self._train_loop, BaseLoop):
            if has_own_classes(self.cfg):
                check_classes(self._train_loop.dataloader.dataset, built.dataloader.dataset)
            if known is not None:
                check_monitored(known, self.hooks, flat(self.param_schedulers or []))
        return built

    def build_test_loop(self, loop: Any) -> BaseLoop:
        """Build the test: its data loader and metrics.

        Raises:
            ValueError: An unknown or impossible argument.
        """
        parts = {'test_dataloader': self._test_dataloader, 'test_evaluator': self._test_evaluator}
        with config_errors(f'test_cfg, {" or ".join(parts)}', values=True, config=parts):
            built = super().build_test_loop(loop)
        check_evaluated_batches('test_dataloader', built.dataloader)
        check_metrics('test_evaluator', built.evaluator)
        use_zeros(built.evaluator)
        return built

    def wrap_model(self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module) -> nn.Module:
        """Wrap the model for several processes; on the CPU without device_ids and SyncBN.

        In one process it is moved to the config's `device`.
        """
        if self.cfg.get('device') and not self.distributed and not is_model_wrapper(model):
            return revert_sync_batchnorm(model.to(self.cfg.device))
        if not self.distributed or run_device(self.cfg) != 'cpu':
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
        """Register the config's hooks and the runner's own."""
        with config_errors('default_hooks or custom_hooks', values=True):
            super().register_hooks(*args, **kwargs)
        self.register_hook(PlainSchedulerStates())
        self._stop = StopHook()
        self.register_hook(self._stop)
        self._first_step = FirstStepHook()
        self.register_hook(self._first_step)
        self.register_hook(ImageOutputsHook())
        self.register_hook(FiniteOutputsHook())
        if has_own_classes(self.cfg):
            self.register_hook(NumClassesHook())
        if not any(isinstance(hook, FiniteHook) for hook in self.hooks):
            self.register_hook(FiniteHook())
        self.register_hook(GroupedAveragesHook())
        self.register_hook(SummaryHook())
        if self.cfg.get('report', True):
            self.register_hook(dict(type='effnet_dense.ReportHook'))
        if is_interactive():
            self.register_hook(ProgressHook())

    def register_hook(self, hook: Hook | dict[str, Any], priority: Any = None) -> None:
        """Register a hook; this package's CheckpointHook in place of mmengine's."""
        kinds = ('CheckpointHook', MMEngineCheckpointHook)
        if isinstance(hook, dict) and hook.get('type') in kinds:
            hook = {**hook, 'type': CheckpointHook}
        super().register_hook(hook, priority)

    def train(self) -> nn.Module:
        """Train; errors that end the training name the checkpoint to resume from.

        Raises:
            FileExistsError: Another training holds the work folder.
        """
        single = self.world_size == 1
        with (
            quiet_libraries(),
            resume_hint(self.work_dir),  # outermost: a killed worker's signal may arrive late
            training_lock(self.work_dir) as self._lock,
            claimed_outputs(self, ('train', 'val')),
            self._stop.handle_signals(single),
            self._first_step.errors(),
            single_values(self),
        ):
            return super().train()

    def val(self) -> dict[str, float]:
        """Validate; see `FirstStepHook` for the errors of its first step."""
        with quiet_libraries(), claimed_outputs(self, ('val',)), self._first_step.errors():
            return super().val()

    def test(self) -> dict[str, float]:
        """Test; see `FirstStepHook` for the errors of its first step."""
        with quiet_libraries(), claimed_outputs(self, ('test',)), self._first_step.errors():
            return super().test()

    @master_only
    def dump_config(self) -> None:
        """Write the config into the work folder, where another file of its name stays."""
        name = Path(self.cfg.filename).name if self.cfg.filename else f'{self.timestamp}.py'
        try:
            with new_output(Path(self.work_dir, name)) as partial:
                self.cfg.dump(str(partial))
        except FileExistsError:
            pass  # the visualizer writes the config, too: TIME/vis_data/config.py

    def _maybe_compile(self, target: str) -> None:
        """Compile the model's parts if the config's `compile` requests it: see `compile_parts`.

        `cuda_graphs` captures them instead, for training.
        """
        options = self.cfg.get('compile')
        if self.cfg.get('cuda_graphs') and target == 'train_step':
            self._use_cuda_graphs(compiled=bool(options))
        if options is None or options is False:
            return
        if options is not True and not isinstance(options, dict):
            raise ValueError(f'compile must be true, false or a dict, got {options!r}')
        with config_errors('compile'):
            parts = compile_parts(unwrap_model(self.model), **({} if options is True else options))
        self.logger.info(f'compiling {", ".join(parts)}: the first steps take minutes')

    def _use_cuda_graphs(self, compiled: bool) -> None:
        """Capture the model's parts in their first step: see `effnet_dense.engine.cuda_graphs`."""
        check_cuda_graphs(
            *(self._device_type, self.world_size, accumulated_batches(self.optim_wrapper)), compiled
        )
        parts = use_cuda_graphs(unwrap_model(self.model), self.logger.warning)
        self.register_hook(CUDAGraphsHook(parts.values()))
        self.logger.info(f'CUDA graphs of {", ".join(parts)}: captured in the first step')

    def load_or_resume(self) -> None:
        """Load or resume; without a file, from the work folder's newest complete checkpoint."""
        if self._resume and self._load_from is None and not self._has_loaded:
            # One process searches, so that all resume from the same file.
            first = self.rank == 0
            found = [find_complete_checkpoint(self.work_dir, set_aside=True) if first else None]
            broadcast_object_list(found)
            if found[0] is None:
                self.logger.info(
                    f'no checkpoint in {self.work_dir} yet: starting from the beginning'
                )
                self._resume = False
            self._load_from = str(found[0]) if found[0] else self.cfg.get('load_from_first')
        super().load_or_resume()
        if isinstance(self._train_loop, BaseLoop):
            check_fixed_statistics(unwrap_model(self.model))

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str | Callable[..., Any] = 'default',
    ) -> None:
        """Resume a training state after its last batch; arguments are mmengine's.

        Logged are the values of the config that are taken, those that are ignored since the
        checkpoint's stay in use, and that nothing is left to train.

        Raises:
            FileNotFoundError: No such file.
            ValueError: It holds no complete training state, or one of another model, of other
                classes, another optimizer or other schedules.
        """
        self._resumed_parts = (resume_optimizer, resume_param_scheduler)
        _ = self.train_loop  # built here, as are the others, to be compared with their states
        if resume_optimizer:
            self.optim_wrapper = self.build_optim_wrapper(self.optim_wrapper)
        if resume_param_scheduler and self.param_schedulers is not None:
            self.param_schedulers = self.build_param_scheduler(self.param_schedulers)
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        set_loader_seed(self.train_dataloader, self.seed)
        if isinstance(self.train_loop, ResumableLoop):
            restore_progress(self, self._resumed_meta)
        end = finished(self.train_loop, self.work_dir)
        if end:
            self.logger.info(f'resume: {filename}: {end}')
            validates = self._val_loop is not None
            done = not validates or is_validated(self.train_loop, self.work_dir)
            self.train_loop.nothing_left = done

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable[..., Any] = 'cpu',
        strict: bool = False,
        revise_keys: list[tuple[str, str]] | None = None,
    ) -> dict[str, Any]:
        """Load weights from any source or, while resuming, a training state.

        Args:
            filename: A source of `effnet_dense.load_weights`; to resume, a file of this runner.
            map_location, strict, revise_keys: Ignored. Tensors are read on the CPU and copied into
                the model; `load_weights` has its own checks, and finds prefixes itself.

        Returns:
            The checkpoint: `state_dict`, and the training state while resuming.

        Raises:
            FileNotFoundError: No such file.
            ValueError: Not a checkpoint, damaged, or of another model; outside of training also
                one that lacks weights of the model, or classes of the data.
        """
        if self._resume:
            checkpoint = load_training_state(self, filename, self._resumed_parts)
            self._resumed_meta = checkpoint['meta']
        else:
            checkpoint = self._load_weights(filename)
        self._has_loaded = True
        return checkpoint

    def _load_weights(self, filename: str) -> dict[str, Any]:
        model = unwrap_model(self.model)
        training = isinstance(self._train_loop, BaseLoop)
        if not training:
            compare_checkpoint(self, filename)
        by_class = training and self.cfg.get('load_from_rows')
        report = load_by_class(self, model, filename) if by_class else None
        fitted = report is not None
        if report is None:
            report = load_weights(model, filename, ignore=self.cfg.get('load_from_ignore', ()))
        if training and not fitted:
            log_other_classes(self, filename, report)
        elif not training and report.missing:
            raise ValueError(
                f'{public_name(filename)} cannot be evaluated, it lacks weights of the model: '
                f'{report}'
            )
        checkpoint = dict(state_dict=model.state_dict())
        copy_weights(self, checkpoint, filename)
        return checkpoint

    @master_only
    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write a checkpoint with the config as data, atomically; arguments are mmengine's.

        A work folder that was deleted is made again.

        Raises:
            FileExistsError: Another training has taken the work folder, which had been deleted, or
                whose lock had been removed.
            OSError: The disk is full, for example; the old file stays.
        """
        if self._lock is not None:
            self._lock.renew()
        kwargs['meta'] = {**(kwargs.get('meta') or {}), **self._saved_config()}
        if '://' in out_dir or file_client_args or kwargs.get('backend_args'):
            super().save_checkpoint(out_dir, filename, file_client_args, **kwargs)
            return
        with new_output(Path(out_dir, filename)) as partial:
            super().save_checkpoint(out_dir, partial.name, **kwargs)

    def _saved_config(self) -> dict[str, str]:
        """Return the entry of a checkpoint's `meta` that holds the config; none if too large."""
        try:
            return {KEY: config_text(self.cfg)}
        except ValueError as error:
            self.logger.warning(f'the config is not stored in the checkpoint: {error}')
            return {}
