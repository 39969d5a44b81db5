"""Watch the first batch of an evaluation for outputs that are NaN or infinite."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

from effnet_dense.engine.checks.finite_outputs import OutputWatch


class FiniteOutputsHook(Hook):
    """Warns in validations, and ends tests; see `OutputWatch`."""

    priority = 'VERY_HIGH'  # before a drawing is made

    def __init__(self) -> None:
        self._watch: OutputWatch | None = None

    def before_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Begin with the first batch."""
        self._start(runner, batch_idx)

    def before_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Begin with the first batch."""
        self._start(runner, batch_idx)

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Warn; the training goes on, and its own checks stop it."""
        fault = self._stop(outputs)
        if fault:
            runner.logger.warning(f'validation: {fault}')

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """End the test.

        Raises:
            ValueError: Outputs are not finite.
        """
        fault = self._stop(outputs)
        if fault:
            raise ValueError(fault)

    def _start(self, runner: Any, batch: int) -> None:
        if batch == 0:
            self._watch = OutputWatch(runner.model)
            self._watch.start()

    def _stop(self, outputs: Any) -> str:
        watch, self._watch = self._watch, None
        return watch.stop(outputs or ()) if watch is not None else ''
