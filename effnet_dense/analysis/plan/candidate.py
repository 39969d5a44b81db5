"""A candidate: a recipe with a backbone, an image size and a batch size, and what it would take."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from effnet_dense.analysis.plan import rules
from effnet_dense.analysis.plan.machine import GIB
from effnet_dense.analysis.plan.measure import COUNTED, Counts
from effnet_dense.analysis.plan.recipes import Recipe, Schedule, Size
from effnet_dense.utils.counted import counted


@dataclass(frozen=True)
class Budget:
    """What a training may take.

    Args:
        minutes: Of training.
        gib: Of memory for training; None for what the machine has free.
        latency_ms: For one image at inference; None for any.

    Raises:
        ValueError: A number is not above 0.
    """

    minutes: float = 60.0
    gib: float | None = None
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        for name, value in (('--minutes', self.minutes), ('--gib', self.gib)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f'{name} must be a number above 0, got {value}')
        if self.latency_ms is not None and not 0 < self.latency_ms < math.inf:
            raise ValueError(f'--latency-ms must be a number above 0, got {self.latency_ms}')


@dataclass(frozen=True)
class Candidate:
    """A possible training.

    Args:
        recipe: The config that it starts from.
        arch: Its backbone.
        size: Of its images.
        batch: Images per step.
        counts: Of its network.
        memory: Bytes that it takes beside `reserve`.
        step: Seconds of a step with loading.
        evaluation: Seconds of all evaluations and of the start.
        latency: Seconds of one image at inference.
        share_8: Share of objects with sides of at least 8 px.
        share_16: The same of 16 px.
        images: In an epoch.
        reserve: Bytes that are needed beside the step's.
        weights: Why the backbone's weights cannot be had; '' if they can.
        measured: Whether time and memory were measured, not estimated.
    """

    recipe: Recipe
    arch: str
    size: Size
    batch: int
    counts: Counts
    memory: float
    step: float
    evaluation: float
    latency: float
    share_8: float
    share_16: float
    images: int
    reserve: float = 0.0
    weights: str = ''
    measured: bool = False

    @property
    def key(self) -> tuple[str, str, Size, int]:
        """What tells it from others."""
        return self.recipe.config, self.arch, self.size, self.batch

    @property
    def gflops(self) -> float:
        """10⁹ multiply-adds for an image of its size."""
        return self.counts.gflops * self.size.pixels / (COUNTED[0] * COUNTED[1])

    @property
    def per_epoch(self) -> int:
        """Steps of an epoch."""
        return math.ceil(self.images / self.batch)

    @property
    def shortest(self) -> int:
        """Steps of the shortest training that is planned."""
        return self._whole_epochs(
            rules.shortest_training(self.recipe.task, self.per_epoch, self.batch)
        )

    def schedule(self, budget: Budget) -> Schedule:
        """Return the longest training within a budget, up to what is enough, or the shortest."""
        seconds = rules.usable_seconds(budget.minutes) - self.evaluation
        steps = int(seconds / self.step)
        if self.recipe.task != 'semantic':
            steps -= steps % self.per_epoch
        most = self._whole_epochs(rules.longest_training(self.shortest))
        return Schedule(min(max(steps, self.shortest), most), self.per_epoch)

    def seconds(self, schedule: Schedule) -> float:
        """Return the seconds of a training with its evaluations."""
        return self.evaluation + schedule.steps * self.step

    def needed_minutes(self) -> float:
        """Return the minutes from which on a budget allows the shortest training."""
        shortest = self.seconds(Schedule(self.shortest, self.per_epoch))
        return shortest / rules.usable_seconds(1)

    def excess(self, budget: Budget, memory: float) -> dict[str, float]:
        """Return by how much limits are exceeded: 'time', 'memory', 'latency' → ratio above 1.

        Args:
            budget: The limits.
            memory: Bytes that the machine has.
        """
        limit = memory if budget.gib is None else min(memory, budget.gib * GIB)
        ratios = {
            'time': self.needed_minutes() / budget.minutes,
            'memory': (self.memory + self.reserve) / limit,
        }
        if budget.latency_ms is not None:
            ratios['latency'] = 1000 * self.latency / budget.latency_ms
        return {name: ratio for name, ratio in ratios.items() if ratio > 1}

    def title(self) -> str:
        """Return its name in a sentence."""
        batch = counted(self.batch, 'image')
        return f'{self.recipe.label} on {self.arch} at {self.size} px, {batch} a step'

    def scaled(self, time: float, memory: float) -> Candidate:
        """Return it with times and memory multiplied."""
        return replace(
            self,
            step=self.step * time,
            evaluation=self.evaluation * time,
            memory=self.memory * memory,
        )

    def _whole_epochs(self, steps: int) -> int:
        if self.recipe.task == 'semantic':
            return steps
        return math.ceil(steps / self.per_epoch) * self.per_epoch
