"""The length of a training in epochs or iterations, and how positions in it move with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mmengine.config import Config

from effnet_dense.engine.resume.config_changes import loop_kind
from effnet_dense.engine.settings.notes import refusal

Unit = Literal['epoch', 'iteration']

LOOPS: dict[str, tuple[Unit, str]] = {
    'EpochBasedTrainLoop': ('epoch', 'max_epochs'),
    'IterBasedTrainLoop': ('iteration', 'max_iters'),
}
"""Training loops whose length can be changed, with their unit and the argument that holds it."""


@dataclass(frozen=True)
class Length:
    """The length of a training.

    Attributes:
        count: Number of epochs or iterations.
        unit: What is counted.
    """

    count: int
    unit: Unit

    def __str__(self) -> str:
        return plural(self.count, self.unit)


@dataclass(frozen=True)
class LengthChange:
    """A training's old and new length.

    Attributes:
        flag: The setting, as in '--epochs 5'.
        old: The config's.
        new: What is to become of it.
    """

    flag: str
    old: Length
    new: Length

    @property
    def ratio(self) -> float:
        """New units per old one."""
        return self.new.count / self.old.count

    @property
    def converts(self) -> bool:
        """Whether epochs become iterations or the reverse."""
        return self.old.unit != self.new.unit

    def position(self, value: float) -> float:
        """Return where a position of the old training lies in the new one.

        Positions by epochs may be fractions, which the runner turns into iterations.
        """
        scaled = value * self.new.count / self.old.count
        return round(scaled) if self.new.unit == 'iteration' else tidy(scaled)

    def interval(self, value: float) -> int:
        """Return the interval at which something happens as often as before, at least 1.

        In a longer training by epochs it stays, since each epoch costs the same.
        """
        longer = self.new.unit == 'epoch' and not self.converts and self.ratio > 1
        return max(int(value if longer else value * self.ratio + 0.5), 1)


def tidy(value: float) -> float:
    """Return a number as an integer if it is one, without noise of floating-point numbers."""
    value = round(value, 6)
    return int(value) if value == int(value) else value


def plural(count: float, unit: str) -> str:
    """Return such as '1 epoch' or '5 epochs'."""
    return f'{count:,} {unit}{"" if count == 1 else "s"}'


def training_length(config: Config, flag: str) -> Length:
    """Return the length of a config's training.

    Raises:
        ValueError: The config does not train, or by a loop of another kind.
    """
    loop = config.get('train_cfg')
    if not loop:
        raise refusal(flag, 'the config has no train_cfg, it does not train', 'use another config')
    kind = loop_kind(loop)
    if kind not in LOOPS:
        known = ' or '.join(LOOPS)
        raise refusal(
            flag,
            f'expected train_cfg.type {known}, got {kind}',
            "set that loop's own length by --cfg-options train_cfg.…",
        )
    unit, key = LOOPS[kind]
    count: Any = loop.get(key)
    if isinstance(count, bool) or not isinstance(count, int | float) or count < 1:
        raise refusal(
            flag,
            f'expected train_cfg.{key} of at least 1, by which schedules scale, got {count!r}',
            f'write it in the config, or --cfg-options train_cfg.{key}=N',
        )
    return Length(int(count), unit)
