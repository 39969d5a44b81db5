"""Compare a model's heads with the classes of its data before the first step."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.engine.checks.classes import check_num_classes
from effnet_dense.utils.wrappers import unwrap_model


class NumClassesHook(Hook):
    """Checks the number of classes of the heads."""

    def before_train(self, runner: Runner) -> None:
        """Check the model.

        Raises:
            ValueError: See `check_num_classes`.
        """
        check_num_classes(unwrap_model(runner.model), runner.train_dataloader.dataset)
