"""What libraries print and warn about goes to the log; others are unchanged."""

from __future__ import annotations

import contextlib
import io
import sys
import types
import warnings
from pathlib import Path

import pytest
from mmengine.logging import MMLogger

from effnet_dense.engine.console import quieten_console
from effnet_dense.engine.quiet import quiet_libraries


def log_in(tmp_path: Path, level: str = 'INFO') -> Path:
    """Make the current logger one with a file."""
    file = tmp_path / 'run.log'
    name = f'quiet_{tmp_path.name}_{level}'
    quieten_console(MMLogger.get_instance(name, log_file=str(file), log_level=level))
    return file


def library(monkeypatch: pytest.MonkeyPatch, name: str) -> types.ModuleType:
    """Make a module that prints, redirects, warns and logs."""
    module = types.ModuleType(name)
    source = (
        'def say(): print("loading", 3, sep="…")\n'
        'def warn(): warnings.warn("deprecated")\n'
        'def note(logger): logger.info("Exp name: x"); print_log("Scaled lr", logger)\n'
    )
    vars(module).update(
        warnings=warnings, print_log=sys.modules['mmengine.logging.logger'].print_log
    )
    exec(compile(source, f'/site-packages/{name.replace(".", "/")}.py', 'exec'), vars(module))
    monkeypatch.setitem(sys.modules, name, module)
    return module


def test_prints_and_warnings_of_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = log_in(tmp_path)
    coco, own = (library(monkeypatch, name) for name in ('pycocotools.fake', 'users_hooks'))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        with quiet_libraries():
            coco.say()
            coco.warn()
            own.say()
            own.warn()
            with contextlib.redirect_stdout(io.StringIO()) as redirected:
                coco.say()
    shown = capsys.readouterr()
    assert shown.out == 'loading…3\n'
    assert [Path(each.filename).stem for each in seen] == ['users_hooks']
    assert shown.err == ''
    text = file.read_text(encoding='utf-8')
    assert text.count('loading…3') == 1 and text.count('UserWarning: deprecated') == 1
    assert redirected.getvalue() == 'loading…3\n', 'mmdet reads pycocotools’ table so'
    coco.say()
    assert capsys.readouterr().out == 'loading…3\n'


def test_lines_of_libraries_are_in_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = log_in(tmp_path)
    logger = MMLogger.get_current_instance()
    library(monkeypatch, 'mmengine.fake').note(logger)
    library(monkeypatch, 'users_hooks').note(logger)
    shown = capsys.readouterr().out.splitlines()
    assert shown == ['Exp name: x', 'Scaled lr']
    text = file.read_text(encoding='utf-8')
    assert text.count('Exp name: x') == text.count('Scaled lr') == 2


def test_debug_shows_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log_in(tmp_path, 'DEBUG')
    library(monkeypatch, 'mmengine.fake').note(MMLogger.get_current_instance())
    assert capsys.readouterr().out.count('Exp name: x') == 1


def test_warnings_stay_except_those_about_the_libraries_own_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_in(tmp_path)
    logger = MMLogger.get_current_instance()
    logger.warning('"FileClient" will be deprecated in future. Please use io functions')
    logger.warning('the learning rate is for another batch size')
    logger.error('failed')
    lines = capsys.readouterr().out.splitlines()
    assert lines == ['warning: the learning rate is for another batch size', 'error: failed']
