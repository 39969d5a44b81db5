"""The memory forecast beside the allocator's peak."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from benchmarks.gpu.conditions import Conditions
from benchmarks.gpu.record import Record
from benchmarks.gpu.trainings import DETECTOR, SMALL
from effnet_dense.analysis.memory.batch import disable_resizing, make_training_batch
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.memory.peak import TrainingSetup, predict_peak, training_setup
from effnet_dense.analysis.saved_memory import MIB
from effnet_dense.engine.config import load_config
from effnet_dense.lean import LEVELS

BATCH = 8


def run(conditions: Conditions, record: Record) -> None:
    """Measure each lean level in each precision."""
    config = load_config(DETECTOR, options=conditions.pick(None, SMALL))
    config.custom_hooks = []  # without averaged weights
    size = conditions.pick(512, 128)
    batch = conditions.pick(BATCH, 2)
    for precision in conditions.pick(('fp32', 'bf16'), ('bf16',)):
        for lean in conditions.pick(LEVELS, LEVELS[:1]):
            setup = training_setup(config, batch, (size, size), precision, lean)
            forecast = predict_peak(config, setup).total / MIB
            measured = allocated_peak(config, setup, conditions.device)
            row = {'forecast MiB': forecast, 'allocated MiB': measured}
            row['ratio'] = None if measured is None else forecast / measured
            record.add(DETECTOR, precision=precision, lean=lean, batch=batch, **row)


def allocated_peak(config: Config, setup: TrainingSetup, device: str) -> float | None:
    """Return the MiB that a step allocates at most, after two others; None on a CPU."""
    model: Any = build_model(config, setup.lean).to(device)
    disable_resizing(model, setup.size)
    model.data_preprocessor._device = torch.device(device)
    wrapper = build_optim_wrapper(model, _optimizer(config, replace(setup), device))
    batch = make_training_batch(model, setup.batch_size, setup.size, setup.objects)
    for image in batch['inputs']:
        image.random_(256)
    for _ in range(2):
        model.train_step(batch, wrapper)
    if device == 'cpu':
        return None
    torch.cuda.reset_peak_memory_stats()
    model.train_step(batch, wrapper)
    return torch.cuda.max_memory_allocated() / MIB


def _optimizer(config: Config, setup: TrainingSetup, device: str) -> dict[str, Any]:
    """Return the config's optimizer in the setup's precision."""
    wrapper = dict(config.optim_wrapper)
    for key in ('type', 'dtype', 'loss_scale'):
        wrapper.pop(key, None)
    if setup.precision == 'fp32' or device == 'cpu':
        return dict(wrapper, type='OptimWrapper')
    name = {'bf16': 'bfloat16', 'fp16': 'float16'}[setup.precision]
    return dict(wrapper, type='AmpOptimWrapper', dtype=name)
