"""Estimate all candidates from a few measurements: time by multiply-adds, memory by saved tensors.

Measured are one small and one larger network of a recipe and a family; candidates between and
beyond them follow a straight line. The chosen one is measured itself (see `trial`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from effnet_dense.analysis.plan.measure import COUNTED, Counts

PIXELS = COUNTED[0] * COUNTED[1]
BYTES_PER_PARAMETER = 16
"""float32: the weight, its gradient, AdamW's two moments."""


@dataclass(frozen=True)
class Point:
    """A measured time.

    Args:
        batch: Images.
        pixels: Of each image.
        gflops: 10⁹ multiply-adds for an image of `COUNTED`.
        seconds: Measured.
    """

    batch: int
    pixels: int
    gflops: float
    seconds: float

    @property
    def per_image(self) -> float:
        """Seconds for an image of `COUNTED`."""
        return self.seconds / self.batch * PIXELS / self.pixels


@dataclass(frozen=True)
class Speed:
    """Seconds of a recipe's networks: linear in multiply-adds, proportional to images and pixels.

    Args:
        constant: Seconds for an image of `COUNTED`, without multiply-adds.
        slope: Seconds for 10⁹ multiply-adds.
    """

    constant: float
    slope: float

    def seconds(self, batch: int, pixels: int, gflops: float) -> float:
        """Return the seconds of a step or a pass; see `Point` for the arguments."""
        return batch * pixels / PIXELS * (self.constant + self.slope * gflops)

    def times(self, factor: float) -> Speed:
        """Return a speed whose seconds are multiplied."""
        return Speed(self.constant * factor, self.slope * factor)


def fit_speed(points: Sequence[Point]) -> Speed:
    """Fit the line through the smallest and the largest of the measured networks.

    With one network, or where the larger one was not slower, seconds are proportional to
    multiply-adds.

    Raises:
        ValueError: Nothing was measured.
    """
    if not points:
        raise ValueError('expected a measured time, got none')
    low, high = min(points, key=lambda p: p.gflops), max(points, key=lambda p: p.gflops)
    if high.gflops <= low.gflops or high.per_image <= low.per_image:
        total = sum(p.per_image for p in points) / sum(p.gflops for p in points)
        return Speed(0.0, total)
    slope = (high.per_image - low.per_image) / (high.gflops - low.gflops)
    return Speed(low.per_image - slope * low.gflops, slope)


@dataclass(frozen=True)
class Memory:
    """Bytes of a training step of a recipe's networks.

    Args:
        fixed: Bytes that do not depend on the images, of the network that was forecast.
        per_image: Bytes for each image of `COUNTED`.
        counts: Of the network that was forecast.
    """

    fixed: float
    per_image: float
    counts: Counts

    def bytes(self, counts: Counts, batch: int, pixels: int) -> float:
        """Return the peak of another network: other parameters and saved tensors, else the same."""
        fixed = self.fixed + BYTES_PER_PARAMETER * (counts.parameters - self.counts.parameters)
        image = self.per_image + counts.saved - self.counts.saved
        return fixed + batch * pixels / PIXELS * image


def fit_memory(counts: Counts, small: tuple[int, float], large: tuple[int, float]) -> Memory:
    """Fit the line through the forecasts of two batches of `COUNTED` images.

    Args:
        counts: Of the network.
        small: Images, bytes.
        large: The same of more images.
    """
    per_image = (large[1] - small[1]) / (large[0] - small[0])
    return Memory(small[1] - small[0] * per_image, per_image, counts)


def iteration_seconds(
    step: float,
    batch: int,
    load: float,
    workers: int,
    cores: int,
    threads: int,
    on_gpu: bool,
) -> float:
    """Return the seconds of a step together with the loading of its images.

    Loading is parallel to the step; the slower one counts. On a CPU both share the cores, whose
    whole work is another limit.

    Args:
        step: Seconds of a step without loading.
        batch: Images per step.
        load: Seconds to load an image in one process.
        workers: Processes that load.
        cores: Of the machine.
        threads: Of PyTorch's operators.
        on_gpu: Steps do not take CPU time.
    """
    loading = batch * load / max(1, min(workers, cores))
    if on_gpu:
        return max(step, loading)
    return max(step, loading, (step * min(threads, cores) + batch * load) / cores)
