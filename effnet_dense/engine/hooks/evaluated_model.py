"""Replace the model before it is tested, for `--deploy` and `--tta`."""

from __future__ import annotations

from mmengine.hooks import Hook, PrepareTTAHook
from mmengine.runner import Runner

from effnet_dense.deployment import deploy
from effnet_dense.utils.wrappers import unwrap_model


class DeployHook(Hook):
    """Test the model that `effnet_dense.deploy` returns (`--deploy`)."""

    def before_test_epoch(self, runner: Runner) -> None:
        """Replace the model."""
        runner.model = deploy(unwrap_model(runner.model))


class UnwrappedTTAHook(PrepareTTAHook):
    """mmengine's hook for test-time augmentation (`--tta`), also in distributed runs."""

    def before_test(self, runner: Runner) -> None:
        """Wrap the model in a BaseTTAModel, which merges predictions."""
        runner.model = unwrap_model(runner.model)
        super().before_test(runner)
