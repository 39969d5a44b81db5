"""Convert the model to channels-last format in runs of mmdet's and mmseg's own tools."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from effnet_dense.engine.channels_last import use_channels_last
from effnet_dense.registry import HOOKS
from effnet_dense.utils.wrappers import unwrap_model


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Apply `use_channels_last` before a run.

    This package's tools have `--channels-last`, or `channels_last = True` in a config, which
    convert the model before DDP wraps it.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Convert the model; the optimizer's states are created later, in the same format."""
        use_channels_last(unwrap_model(runner.model))
