"""List the waits and the launches of one step of a config's own training."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mmengine.config import Config

from effnet_dense.analysis.memory.fake_model import replace_tensors
from effnet_dense.analysis.waits.pretended_gpu import GPU, pretended_gpu, to_gpu
from effnet_dense.analysis.waits.recorder import Recorded, Recorder, Wait
from effnet_dense.data import check_data_files
from effnet_dense.engine.asynchronous_copies import copy_asynchronously, with_pinned_memory
from effnet_dense.engine.fused_steps import with_fused_steps
from effnet_dense.engine.jobs import build_runner

NEVER = 10**6
"""The logger's interval: no step between two log lines has the wait for their losses."""


@dataclass(frozen=True)
class Step:
    """One step of a training.

    Attributes:
        waits: In the order in which they occur.
        launches: File and operator → kernels that CUDA would start.
    """

    waits: list[Wait]
    launches: Counter[tuple[str, str]]


def list_waits(config: Config) -> list[Wait]:
    """List what makes the host wait for the GPU in a step of a config's training.

    See `record_step`.
    """
    return record_step(config).waits


def record_step(config: Config) -> Step:
    """Train two steps of a config on a pretended GPU, and record the second.

    Model, data, hooks and optimizer are the config's, and the runner is the one that trains.
    Precision is float32. Waits inside of torch's and torchvision's kernels are those of `rules`.

    Args:
        config: With data of at least three batches and a work folder; it is not changed.

    Raises:
        FileNotFoundError: A file of the data is missing.
        ValueError: It is no config, or the training ended before its second step.
    """
    if not isinstance(config, Config):
        raise ValueError(
            f'expected a config as effnet_dense.engine.load_config returns it, got {config!r:.80}'
        )
    check_data_files(config, ('train',))
    runner = build_runner(_as_on_gpu(config))
    recorder = Recorder()
    runner.register_hook(recorder)
    replace_tensors(runner.model, to_gpu)
    runner.model.data_preprocessor._device = GPU
    copy_asynchronously(runner.model, GPU.type)
    try:
        with pretended_gpu(recorder.listen):
            runner.train()
    except Recorded:
        return Step(recorder.waits, recorder.launches)
    raise ValueError('expected data for two steps, and the training ended before')


def _as_on_gpu(config: Config) -> Config:
    """Return a copy with what the runner chooses for GPUs, and without evaluations."""
    config = Config(config.to_dict())
    config.device = 'cpu'
    config.report = False
    config.default_hooks.logger.interval = NEVER
    config.optim_wrapper = with_fused_steps(config.optim_wrapper, 'cuda')
    config.train_dataloader = with_pinned_memory(config.train_dataloader, 'cuda')
    config.val_cfg = config.val_dataloader = config.val_evaluator = None
    return config
