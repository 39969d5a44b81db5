"""The rules by which a network, an image size and a schedule are chosen, each with its source.

What no source states is not predicted: there is no rule for an accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

SMALL_OBJECT = 8
"""Pixels: a cell of stride 8, the finest level of the detectors."""

CELL = 32
"""Pixels: sides of images are multiples of the coarsest backbone level's stride."""

REFERENCE_EPOCHS = 12
REFERENCE_STEPS = {'detection': 255, 'instances': 255, 'semantic': 368}
REFERENCE_BATCH = 8
ENOUGH = 3
SHARE_OF_BUDGET = 0.9
SMALLEST_BATCH = 2


def shortest_training(task: str, steps_per_epoch: int, batch: int = REFERENCE_BATCH) -> int:
    """Return the fewest steps of a training that is worth its result.

    Detection and instances: a 1x schedule, 12 epochs (mmdet `configs/_base_/schedules`; Detectron's
    90,000 steps of 16 images), and on small sets at least the 255 steps of 8 images after which the
    shipped fine-tuning configs have their figures on Penn-Fudan (docs/model-zoo.md). Semantic: the
    368 steps of 8 of the configs for CamVid; mmseg counts steps, not epochs. Smaller batches need
    as many images.
    """
    steps = math.ceil(REFERENCE_STEPS[task] * max(1.0, REFERENCE_BATCH / batch))
    if task == 'semantic':
        return max(steps, steps_per_epoch)
    return max(steps, REFERENCE_EPOCHS * steps_per_epoch)


def longest_training(shortest: int) -> int:
    """Return the steps after which more are not planned: three times the shortest training.

    He, Girshick, Dollár 2019 (arXiv 1811.08883, figure 1): networks that start from ImageNet's
    weights have converged after a 3x schedule at the latest.
    """
    return ENOUGH * shortest


def comfortable_training(shortest: int) -> int:
    """Return the steps from which on a larger network is preferred to a longer training.

    The 2x schedule, which mmdet's and Detectron's baselines are published with beside 1x.
    """
    return 2 * shortest


def usable_seconds(minutes: float) -> float:
    """Return the seconds of a budget that are planned: a tenth is left to variations of speed."""
    return SHARE_OF_BUDGET * 60 * minutes


def scaled_rate(rate: float, batch: int, base_batch: int) -> float:
    """Scale a learning rate with the images per step, linearly.

    Goyal et al. 2017 (arXiv 1706.02677, section 2.1): "When the minibatch size is multiplied by k,
    multiply the learning rate by k." Rates are rounded to three digits.
    """
    return float(f'{rate * batch / base_batch:.3g}')


def warm_up_share(task: str) -> float:
    """Return the share of the steps with a rising rate (Goyal et al. 2017, section 2.2).

    As in the shipped configs: 2 of 15 epochs, and 50 of 368 steps.
    """
    return 50 / 368 if task == 'semantic' else 2 / 15


def batch_sizes(base_batch: int, images: int, on_gpu: bool) -> list[int]:
    """Return the batch sizes to try, the preferred one first.

    The recipe's own first. Smaller ones only where it does not fit: batch norms of necks and heads
    take their statistics from the batch, and errors rise quickly below 8 images (Wu and He 2018,
    arXiv 1803.08494, figure 1). Larger ones not at all on CPUs, where they are not faster per
    image; on a GPU up to four times as many if an epoch keeps 50 steps, as large sets do.
    """
    smaller = [base_batch >> n for n in range(1, 8) if base_batch >> n >= SMALLEST_BATCH]
    larger = [base_batch << n for n in (2, 1) if on_gpu and images >= 50 * (base_batch << n)]
    return [*larger, base_batch, *smaller]


def frozen_norms(batch: int, base_batch: int) -> bool:
    """Return whether a backbone's batch norms keep ImageNet's statistics.

    mmdet's rule (`norm_eval=True` in its baselines): batches of an object detector are too small
    for statistics of their own (He et al. 2019, section 2.1). The shipped semantic recipes update
    them with 8 crops; below that they are frozen, too.
    """
    return batch < base_batch


def family_size(arch: str) -> int:
    """Return the side of the images for which EfficientDet's authors chose a backbone.

    Compound scaling: resolution grows with depth and width (Tan and Le 2019, arXiv 1905.11946,
    equation 3; Tan, Pang, Le 2020, arXiv 1911.09070, table 1: 512 + 128·φ; automl's Lite rows).
    """
    lite = {'lite0': 320, 'lite1': 384, 'lite2': 448, 'lite3': 512, 'lite4': 640}
    return lite.get(arch) or 512 + 128 * int(arch.removeprefix('b'))


def square_sizes(arch: str, base_size: int, long_side: float) -> list[int]:
    """Return the square sizes of a detector's images to try.

    Around the recipe's own and the family's size, in steps of 64 px, and larger ones for small
    objects; not larger than the data's images, whose upscaling adds no information, unless all
    would be: the recipe's own size always is among them.
    """
    largest = max(base_size, _multiple(long_side))
    sizes = {base_size, family_size(arch), *range(base_size, 1025, 64), 1280, 1536}
    return sorted(size for size in sizes if size <= largest)


def scale_factors(long_side: float) -> list[float]:
    """Return the factors by which label maps' images are resized: 1, and smaller long sides.

    mmseg's datasets train and test at their own resolution; smaller sizes serve tight budgets.
    """
    sides = (1024, 768, 640, 512, 384, 320, 256)
    return [1.0, *(side / long_side for side in sides if side < 0.9 * long_side)]


def crop_sides(width: float, height: float) -> tuple[int, int]:
    """Return (height, width) of a semantic crop: 7/8 of the image, a multiple of 32 px.

    As in the shipped recipe, 320 × 416 of 360 × 480 px. The sides stay multiples so that SAME
    padding shifts no features.
    """
    return _nearest(height * 7 / 8), _nearest(width * 7 / 8)


def validations(epochs: int) -> int:
    """Return how many epochs lie between evaluations: three evaluations, as 5, 10, 15 of 15."""
    return max(1, math.ceil(epochs / 3))


def workers(batch: int, load_seconds: float, step_seconds: float, cores: int, on_gpu: bool) -> int:
    """Return the processes that load images: enough to feed the steps.

    Little's law: batch · time of an image ÷ time of a step are busy at once. Two at least, as in
    the shipped configs; at most one per core (PyTorch warns beyond).
    """
    busy = batch * load_seconds / max(step_seconds, 1e-9)
    wanted = math.ceil(busy * 1.25) if on_gpu else 2
    return max(1, min(max(wanted, 2), cores))


def augmentation(task: str, epochs: int, small_share: float, rare: bool) -> str:
    """Return 'jitter', 'mosaic' or 'copy-paste'.

    Scale jitter, crops and flips by default, as in the shipped recipes. Mosaics (Bochkovskiy 2020,
    arXiv 2004.10934, section 3.3) and pasted objects (Ghiasi 2021, arXiv 2012.07177) need long
    schedules: YOLOX trains 300 epochs and leaves the last 15 without (arXiv 2107.08430), Ghiasi's
    gain grows with the length of training (figure 4). So both from 100 epochs on only: mosaics
    where more objects are small (below 32 px) than COCO's 41 % (cocodataset.org), pasted objects
    where classes are rare (fewer than 50 objects).
    """
    if epochs < 100:
        return 'jitter'
    if task == 'detection' and small_share > 0.41:
        return 'mosaic'
    if task == 'instances' and rare:
        return 'copy-paste'
    return 'jitter'


def class_weights(pixels: Sequence[int]) -> list[float]:
    """Return the weight of each class in the loss of a semantic recipe.

    (Median share of pixels ÷ the class's share) ^ 0.35, as the shipped configs for CamVid: median
    frequency balancing (Eigen and Fergus 2015, arXiv 1411.4734, section 4.3.2), softened. Classes
    without a pixel have the median's.
    """
    present = [count for count in pixels if count > 0]
    middle = median(present) if present else 1
    return [round((middle / count) ** 0.35, 2) if count > 0 else 1.0 for count in pixels]


def seen(share: float) -> int:
    """Return the class of a share of visible objects: differences below 2.5 % do not count."""
    return round(share * 20)


def _multiple(side: float) -> int:
    return max(CELL, math.ceil(side / CELL) * CELL)


def _nearest(side: float) -> int:
    return max(CELL, round(side / CELL) * CELL)
