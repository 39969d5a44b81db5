"""Write a page about every evaluation into the work folder."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, Runner

from effnet_dense.engine.figures import duration
from effnet_dense.engine.quiet import FILE_ONLY
from effnet_dense.registry import HOOKS
from effnet_dense.report import about
from effnet_dense.report.attach import attach_collectors
from effnet_dense.report.class_figures import class_lines
from effnet_dense.report.collectors import Collector
from effnet_dense.report.data_sections import save_objects
from effnet_dense.report.page import write_page
from effnet_dense.report.save import save_meta, save_results
from effnet_dense.report.store import check_report, report_folder, start_data
from effnet_dense.report.summary import summarise

TEST = 'Test of'
"""Beginning of the page's words on what was evaluated."""


@HOOKS.register_module()
class ReportHook(Hook):
    """Writes `report/index.html` after every evaluation, a self-contained file.

    `effnet_dense.Runner` registers it unless the config has `report = False`. It attaches
    `Collector`s to the config's CocoMetric, IoUMetric or CocoPanopticMetric; with other metrics
    the page has only curves, figures and facts about the run.

    Args:
        score_thr: Detections of a lower score are left out of confusions, counts and images.
    """

    # After LoggerHook, which writes the evaluation's figures.
    priority = 'LOWEST'

    def __init__(self, score_thr: float = 0.3) -> None:
        self.score_thr = score_thr
        self.collectors: list[Collector] = []
        self.start = time.time()

    def before_run(self, runner: Runner) -> None:
        """Start to measure the run's duration.

        Raises:
            FileExistsError: The report would replace files that are not a report's.
        """
        self.start = time.time()
        if is_main_process():
            check_report(report_folder(runner.work_dir))

    def before_val(self, runner: Runner) -> None:
        """Collect next to the validation's metrics."""
        self.collectors = attach_collectors(runner.val_evaluator)

    def before_test(self, runner: Runner) -> None:
        """Collect next to the test's metrics."""
        self.collectors = attach_collectors(runner.test_evaluator)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the page about a validation."""
        dataset = runner.val_dataloader.dataset
        self._write(runner, _validation(runner), dataset, metrics or {})

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Write the page about a test."""
        dataset = runner.test_dataloader.dataset
        self._write(runner, f'{TEST} {_tested(runner)}', dataset, metrics or {})

    def _write(self, runner: Runner, what: str, dataset: Any, metrics: dict[str, float]) -> None:
        if not is_main_process():
            return
        try:
            self._save(runner, what, dataset, metrics)
            for line in class_lines(report_folder(runner.work_dir) / 'data', _classes(dataset)):
                runner.logger.info(f'  {line}')
            path = write_page(runner.work_dir)
        except OSError as error:
            reason = error.strerror or error
            where = f' ({error.filename})' if error.filename else ''
            runner.logger.warning(f'the report could not be written: {reason}{where}')
        except Exception:
            # A failing report must not end a training run.
            runner.logger.warning('the report could not be written', exc_info=True)
        else:
            training = isinstance(getattr(runner, '_train_loop', None), BaseLoop)
            runner.logger.info(f'Report: {path}', extra=FILE_ONLY if training else None)

    def _save(self, runner: Runner, what: str, dataset: Any, metrics: dict[str, float]) -> None:
        data = start_data(report_folder(runner.work_dir))
        for collector in self.collectors:
            save_results(data, collector, self.score_thr)
            collector.gathered = []
        save_objects(data, runner.cfg, training=not what.startswith(TEST))
        save_meta(
            data,
            name=_name(runner),
            what=what,
            date=datetime.now().astimezone().strftime('%Y-%m-%d %H:%M %Z'),
            duration=duration(time.time() - self.start),
            images=len(dataset),
            score_thr=self.score_thr,
            classes=_classes(dataset),
            palette=_palette(dataset.metainfo),
            metrics={key: float(value) for key, value in metrics.items()},
            versions=about.versions(),
            hardware=about.hardware(),
            config=runner.cfg.pretty_text,
            summary=summarise(runner),
        )


def _validation(runner: Runner) -> str:
    """Describe which validation it is."""
    if isinstance(runner._train_loop, EpochBasedTrainLoop):
        return f'Validation after epoch {runner.epoch} of {runner.max_epochs}'
    if isinstance(runner._train_loop, BaseLoop):
        return f'Validation after step {runner.iter} of {runner.max_iters}'
    return f'Validation of {runner._load_from}'


def _tested(runner: Runner) -> str | None:
    """Return the checkpoint's name; or the exported file's, which is an argument of the model."""
    return runner._load_from or runner.cfg.get('model', {}).get('session')


def _name(runner: Runner) -> str:
    """Return the config's name: of its file, else that of the run it was read from."""
    if runner.cfg.filename:
        return Path(runner.cfg.filename).stem
    return str(runner.cfg.get('experiment_name') or runner.experiment_name)


def _classes(dataset: Any) -> list[str]:
    return list(dataset.metainfo.get('classes') or ())


def _palette(metainfo: dict[str, Any]) -> list[list[int]] | None:
    """Return the dataset's RGB colours, None if they are not a list."""
    colours = metainfo.get('palette')
    if not isinstance(colours, list | tuple):
        return None
    return [[int(value) for value in colour] for colour in colours]
