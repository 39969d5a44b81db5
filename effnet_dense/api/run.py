"""What a training leaves in its work folder."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from effnet_dense.api.evaluation import evaluate
from effnet_dense.engine.run_folder import RunFolder, open_run
from effnet_dense.inference import Predictor
from effnet_dense.report import write_page
from effnet_dense.report.scalars import read_scalars


class Run:
    """A work folder of a training; everything is read from the disk when it is used.

        run = effnet_dense.Run('work_dirs/mine')  # also what effnet_dense.train returns
        run.predictor(score_thr=0.5)('street.jpg').draw()

    Args:
        folder: The work folder.

    Attributes:
        folder: The work folder.

    Raises:
        FileNotFoundError: It has no checkpoint.
        ValueError: It has those of several runs, or its checkpoint is damaged.
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        self._found: RunFolder = open_run(self.folder)

    def __repr__(self) -> str:
        return f'Run({str(self.folder)!r}): {self._found}'

    @property
    def best(self) -> Path:
        """The checkpoint of the best evaluation, else the last one."""
        return self._found.best or self._found.checkpoint

    @property
    def last(self) -> Path:
        """The last checkpoint."""
        return self._found.last or self._found.checkpoint

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self._found.classes

    @property
    def config(self) -> Any:
        """The config of the training, with its data and options."""
        return self._found.config

    @property
    def metrics(self) -> dict[str, float]:
        """Figures of the best evaluation, such as 'coco/bbox_mAP', else of the last; {} if none."""
        rows = read_scalars(self.folder).validation
        figure = self._found.best_figure
        chosen = [row for row in rows if figure is not None and row['step'] == figure.step]
        row = (chosen or rows or [{}])[-1]
        return {key: value for key, value in row.items() if key not in NO_FIGURES}

    @property
    def report(self) -> Path:
        """The report page, `report/index.html`; written again."""
        return write_page(self.folder)

    def predictor(self, **arguments: Any) -> Predictor:
        """Return a Predictor of the best checkpoint; the arguments are `Predictor`'s."""
        return Predictor(self._found.config, self.best, **arguments)

    def evaluate(
        self, data: str | PathLike[str] | None = None, **arguments: Any
    ) -> dict[str, float]:
        """Evaluate the best checkpoint; the arguments are `effnet_dense.evaluate`'s.

        Args:
            data: As in `effnet_dense.train`; by default the training's.
            arguments: Others of `effnet_dense.evaluate`.
        """
        return evaluate(self.folder, data=data, **arguments)


NO_FIGURES = {'step', 'time', 'data_time'}
"""Entries of a logged evaluation that are no figures."""
