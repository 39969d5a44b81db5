"""The peak memory of training a config, and the largest batch that fits."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mmengine.config import Config

from effnet_dense.analysis.memory.batch import OBJECTS, fit_preprocessor, training_batch
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.memory.precision import check_precision, precision_of
from effnet_dense.analysis.memory.size import Size, check_size, network_size
from effnet_dense.analysis.memory.step import training_step
from effnet_dense.analysis.memory.tally import Kind

# More than anybody trains with on one device.
LARGEST_BATCH = 4096


@dataclass(frozen=True)
class Setting:
    """What the memory depends on, beside the config."""

    batch_size: int
    size: Size  # the images' height and width, as the network gets them
    precision: str = 'fp32'
    lean: int | None = None  # as the config says
    objects: int = OBJECTS  # in an image of a detector's


@dataclass(frozen=True)
class Peak:
    """The largest sum of living tensors in a training step, in bytes."""

    setting: Setting
    total: int
    parts: dict[Kind, int]
    moment: str  # 'forward', 'backward' or 'optimizer'


MOMENTS = {Kind.BACKWARD: 'backward', Kind.GRADIENTS: 'backward', Kind.STEP: 'optimizer'}


def setting_of(
    config: Config,
    batch_size: int | None = None,
    size: Size | None = None,
    precision: str | None = None,
    lean: int | None = None,
    objects: int = OBJECTS,
) -> Setting:
    """What a config says, where nothing else is asked for.

    Raises:
        ValueError: an impossible value, or a config that does not say it.
    """
    if batch_size is None:
        batch_size = (config.get('train_dataloader') or {}).get('batch_size')
    if batch_size is None:
        raise ValueError('the config has no train_dataloader.batch_size; pass --batch-size')
    if batch_size < 1:
        raise ValueError(f'a batch has at least one image, got a batch size of {batch_size}')
    if objects < 1:
        raise ValueError(f'images have at least one object, got {objects}')
    if not config.get('optim_wrapper'):
        raise ValueError('the config has no optim_wrapper: it does not train')
    precision = precision_of(config) if precision is None else precision
    check_precision(precision)
    size = network_size(config) if size is None else size
    check_size(size)
    return Setting(batch_size, size, precision, lean, objects)


def predict_peak(config: Config, setting: Setting, gpu: bool = True) -> Peak:
    """Predict the peak of one device's training step, by running it without memory or values.

    Counted are the tensors that PyTorch is asked for, rounded as its CUDA allocator does: what
    `torch.cuda.max_memory_allocated` reports. Not counted, since they depend on the machine: the
    workspaces of cuDNN, the CUDA context, what the allocator keeps in reserve; and, on several
    devices, DDP's buckets, which are as large as the gradients.

    Args:
        config: Of a detector of mmdet's or a segmentor of mmseg's.
        setting: See `setting_of`.
        gpu: As on a GPU; else as on the CPU.

    Raises:
        KeyError: an unknown type in the config.
        ValueError: a model that cannot be built, or takes no images, or whose memory depends on
            what it predicts in a way that is not known here.
    """
    with quiet():
        model = build_model(config, setting.lean)
        fit_preprocessor(model, setting.size)

        def batch() -> dict:
            return training_batch(model, setting.batch_size, setting.size, setting.objects)

        tally = training_step(model, config, batch, setting.precision, gpu)
    parts = {kind: tally.peak_parts.get(kind, 0) for kind in Kind}
    return Peak(setting, tally.peak, parts, MOMENTS.get(tally.peak_kind, 'forward'))


def largest_batch(predict: Callable[[int], int], limit: int) -> int:
    """The largest batch whose peak is within a limit; 0 if one image is too much.

    Peaks grow nearly linearly: instead of the middle of what is left, bisection looks where the
    line between its ends crosses the limit.

    Args:
        predict: Images → bytes, growing.
        limit: Bytes.
    """
    fits, least = 1, predict(1)
    if least > limit:
        return 0
    too_many, most = 2, predict(2)
    while most <= limit and too_many < LARGEST_BATCH:
        # A line through small batches may say nothing of large ones: four times as many at most.
        next_one = _crossing(fits, least, too_many, most, limit) + 1
        fits, least = too_many, most
        too_many = min(max(next_one, fits + 1), 4 * fits)
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
    """The images for which the line through two peaks reaches the limit, rounded down."""
    return a + (limit - at_a) * (b - a) // max(at_b - at_a, 1)


@contextmanager
def quiet() -> Iterator[None]:
    """Without mmengine's lines about every parameter, its duplicates too."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
