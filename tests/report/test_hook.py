"""The hook's page describes its evaluation, and its failure stops nothing."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config

from effnet_dense.report import hook as hook_module
from effnet_dense.report.hook import ReportHook
from effnet_dense.report.store import load_json


def test_a_report_that_fails_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger('report-test')
    runner: Any = SimpleNamespace(work_dir=str(tmp_path), logger=logger, cfg=None)
    ReportHook()._write(runner, 'Test', [], {})
    assert 'the report could not be written' in caplog.text


def test_a_test_with_an_unknown_metric_has_a_page_about_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_module, 'summarise', lambda runner: {'task': 'anything'})
    dataset = type('Dataset', (list,), {})([1, 2, 3])
    dataset.metainfo = dict(classes=('a', 'b'), palette=[(1, 2, 3), (4, 5, 6)])
    lines: list[tuple[str, Any]] = []
    log = SimpleNamespace(info=lambda line, extra=None: lines.append((line, extra)))
    runner: Any = SimpleNamespace(
        work_dir=str(tmp_path),
        logger=log,
        _train_loop=Config(dict(max_iters=9)),  # not built
        cfg=Config(dict(lr=0.1, experiment_name='my_config')),
        experiment_name='exp',
        _load_from='best.pth',
        test_evaluator=SimpleNamespace(metrics=[], dataset_meta={}),
        test_dataloader=SimpleNamespace(dataset=dataset),
    )
    hook = ReportHook(score_thr=0.4)
    hook.before_run(runner)
    hook.before_test(runner)
    hook.after_test_epoch(runner, dict(other=1))
    run = load_json(tmp_path / 'report' / 'data' / 'run.json')
    assert {key: run[key] for key in ('what', 'images', 'score_thr', 'classes', 'palette')} == {
        'what': 'Test of best.pth',
        'images': 3,
        'score_thr': 0.4,
        'classes': ['a', 'b'],
        'palette': [[1, 2, 3], [4, 5, 6]],
    }
    assert run['name'] == 'my_config', 'without the time of the run'
    assert run['summary'] == {'task': 'anything'}
    assert run['metrics'] == {'other': 1.0} and 'lr=0.1' in run['config'].replace(' ', '')
    page = tmp_path / 'report' / 'index.html'
    assert page.is_file()
    assert lines[-1] == (f'Report: {page}', None), 'on the console, too'
