"""Test a model on data that numbers its classes in another way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.evaluation.mapped_classes import map_sample


class MappedClassesHook(Hook):
    """Renumber the classes in each prediction before metrics, drawings and files get it.

    Args:
        labels: See `map_sample`.
        classes: The data's number of classes.
    """

    priority = 'LOWEST'  # after the hooks that exchange the model

    def __init__(self, labels: Sequence[int], classes: int) -> None:
        self.labels = labels
        self.classes = classes

    def before_test_epoch(self, runner: Runner) -> None:
        """Put the mapping behind the model's step, which also merges augmented predictions."""
        step = runner.model.test_step

        def mapped_step(data: Any) -> list[Any]:
            return [map_sample(sample, self.labels, self.classes) for sample in step(data)]

        runner.model.test_step = mapped_step

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Restore the model's step."""
        del runner.model.test_step
