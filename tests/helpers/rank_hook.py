"""What each process of a distributed training saw and ended with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner


def fingerprint(runner: Runner) -> float:
    """A number that changes with any weight."""
    parameters = runner.model.module.parameters()
    return sum(float(p.double().abs().sum()) for p in parameters)


@HOOKS.register_module()
class RankHook(Hook):
    """Writes rank_<rank>.json: weights before and after, and the images' ids."""

    def before_train(self, runner: Runner) -> None:
        """Remember the weights that the training starts from."""
        self.start = fingerprint(runner)
        self.images: list[int] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Remember the images of a step."""
        self.images += [sample.img_id for sample in data_batch['data_samples']]

    def after_train(self, runner: Runner) -> None:
        """Write it all."""
        content = dict(start=self.start, weights=fingerprint(runner), images=self.images)
        Path(runner.work_dir, f'rank_{runner.rank}.json').write_text(
            json.dumps(content), encoding='utf-8'
        )
