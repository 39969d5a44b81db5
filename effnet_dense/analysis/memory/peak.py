"""Predict the peak memory of training a config, and the largest batch that fits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mmengine.config import Config

from effnet_dense.analysis.memory.batch import OBJECTS, disable_resizing, make_training_batch
from effnet_dense.analysis.memory.byte_counter import Category
from effnet_dense.analysis.memory.image_size import Size, check_size, network_input_size
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.memory.precision import check_precision, config_precision
from effnet_dense.analysis.memory.training_step import run_training_step

LARGEST_BATCH = 4096
MOST_OBJECTS = 10_000
"""Upper limit of the search, larger than any batch trained on one device."""

PHASES = {
    Category.BACKWARD: 'backward',
    Category.GRADIENTS: 'backward',
    Category.STEP: 'optimizer',
}


@dataclass(frozen=True)
class TrainingSetup:
    """What the memory depends on besides the config.

    Args:
        batch_size: Images per step on one device.
        size: Height and width of the network's input, in pixels.
        precision: One of `PRECISIONS`.
        lean: The lean level; None keeps the config's.
        objects: Ground-truth objects in an image, for detectors.
    """

    batch_size: int
    size: Size
    precision: str = 'fp32'
    lean: int | None = None
    objects: int = OBJECTS


@dataclass(frozen=True)
class Peak:
    """The largest sum of live tensor storages in a training step.

    Args:
        setup: The step's setup.
        total: Number of bytes.
        parts: Bytes by category; their sum is the total.
        phase: When the peak occurs: 'forward', 'backward' or 'optimizer'.
    """

    setup: TrainingSetup
    total: int
    parts: dict[Category, int]
    phase: str


def training_setup(
    config: Config,
    batch_size: int | None = None,
    size: Size | None = None,
    precision: str | None = None,
    lean: int | None = None,
    objects: int = OBJECTS,
) -> TrainingSetup:
    """Return the setup of a config, with the given values in place of the config's.

    Raises:
        ValueError: A value is invalid, or is neither given nor in the config.
    """
    if batch_size is None:
        batch_size = (config.get('train_dataloader') or {}).get('batch_size')
    if batch_size is None:
        raise ValueError('the config has no train_dataloader.batch_size; pass --batch-size')
    if batch_size < 1:
        raise ValueError(f'a batch has at least one image, got a batch size of {batch_size}')
    if batch_size > LARGEST_BATCH:
        raise ValueError(
            f'batches have at most {LARGEST_BATCH} images, got a batch size of {batch_size}'
        )
    if not 1 <= objects <= MOST_OBJECTS:
        raise ValueError(f'images have 1 to {MOST_OBJECTS} objects, got {objects}')
    if not config.get('optim_wrapper'):
        raise ValueError('the config has no optim_wrapper: it does not train')
    precision = config_precision(config) if precision is None else precision
    check_precision(precision)
    size = network_input_size(config) if size is None else size
    check_size(size)
    return TrainingSetup(batch_size, size, precision, lean, objects)


def predict_peak(config: Config, setup: TrainingSetup, gpu: bool = True) -> Peak:
    """Predict the peak of a training step on one device, by running it on fake tensors.

    Counts what `torch.cuda.max_memory_allocated` reports: the tensors that PyTorch allocates,
    rounded as its CUDA allocator does. Not counted, since they depend on the machine: the
    workspaces of cuDNN, the CUDA context, the allocator's reserve; and, on several devices,
    DDP's buckets, which are as large as the gradients.

    Args:
        config: Config of an mmdet detector or an mmseg segmentor.
        setup: See `training_setup`.
        gpu: Predict for a GPU; else for the CPU.

    Raises:
        KeyError: An unknown type in the config.
        ValueError: A model that cannot be built, takes no images, or whose memory depends on its
            predictions in a way that has no upper bound here.
    """
    with without_logs():
        model = build_model(config, setup.lean)
        disable_resizing(model, setup.size)

        def make_batch() -> dict:
            return make_training_batch(model, setup.batch_size, setup.size, setup.objects)

        counter = run_training_step(model, config, make_batch, setup.precision, gpu)
    parts = {category: counter.peak_parts.get(category, 0) for category in Category}
    return Peak(setup, counter.peak, parts, PHASES.get(counter.peak_category, 'forward'))


def largest_batch(predict: Callable[[int], int], limit: int) -> int:
    """Return the largest batch whose peak is within a limit; 0 if one image exceeds it.

    Peaks grow nearly linearly, so this searches where the line through the interval's ends
    crosses the limit (regula falsi) instead of bisecting.

    Args:
        predict: Number of images → bytes, increasing.
        limit: Largest number of bytes.
    """
    fits, least = 1, predict(1)
    if least > limit:
        return 0
    too_many, most = 2, predict(2)
    while most <= limit and too_many < LARGEST_BATCH:
        # A line through small batches may be wrong for large ones: grow by 4 at most.
        guess = _crossing(fits, least, too_many, most, limit) + 1
        fits, least = too_many, most
        too_many = min(max(guess, fits + 1), 4 * fits)
        most = predict(too_many)
    if most <= limit:
        return too_many
    while too_many - fits > 1:
        guess = min(max(_crossing(fits, least, too_many, most, limit), fits + 1), too_many - 1)
        peak = predict(guess)
        if peak <= limit:
            fits, least = guess, peak
        else:
            too_many, most = guess, peak
    return fits


def _crossing(a: int, at_a: int, b: int, at_b: int, limit: int) -> int:
    """Return the batch at which the line through two peaks reaches the limit, rounded down."""
    return a + (limit - at_a) * (b - a) // max(at_b - at_a, 1)


@contextmanager
def without_logs() -> Iterator[None]:
    """Suppress mmengine's log lines about every parameter."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
