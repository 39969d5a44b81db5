"""Any character in names and classes, in any locale."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path
from types import ModuleType

import pytest

from effnet_dense.compat.safe_defaults import read_utf8
from effnet_dense.data.bad_images import ReplaceBadImages, read_notes
from effnet_dense.engine.console import quieten_console
from effnet_dense.utils.atomic import atomic_write
from effnet_dense.utils.console import one_line, print_any_character, print_table
from effnet_dense.utils.json_text import json_text
from effnet_dense.utils.regular_files import disk_path
from tests.helpers.tiny import write_data
from tests.helpers.tiny_models import DETECTOR, SMALL
from tests.helpers.tool import REPOSITORY, finish

ASCII = dict(LC_ALL='C', PYTHONUTF8='0', PYTHONIOENCODING='ascii')
HARD = 'Straße × caf\udce9'


def ascii_console(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Make standard output and error ASCII; pytest sets its own after fixtures have run."""
    shown = io.BytesIO()
    monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(shown, 'ascii', write_through=True))
    monkeypatch.setattr(sys, 'stderr', io.TextIOWrapper(io.BytesIO(), 'ascii'))
    return shown


def test_the_console_escapes_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    console = ascii_console(monkeypatch)
    print_any_character()
    print(HARD)
    print_table(HARD, [HARD], [[HARD]])
    print('error: ×', file=sys.stderr, flush=True)
    assert rb'Stra\xdfe \xd7 caf\udce9' in console.getvalue()


def test_log_files_are_utf8_and_log_lines_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    console = ascii_console(monkeypatch)
    logger = logging.Logger('own')
    logger.addHandler(logging.FileHandler(tmp_path / 'a.log', encoding='ascii'))
    logger.addHandler(logging.StreamHandler(sys.stdout))
    quieten_console(logger)
    logger.warning(HARD)
    for handler in logger.handlers:
        handler.flush()
    assert (tmp_path / 'a.log').read_text(encoding='utf-8') == 'Straße × caf\\udce9\n'
    assert rb'Stra\xdfe' in console.getvalue()


def test_lines_of_messages() -> None:
    assert one_line('a\nb\x1b[31m\udce9 Straße') == 'a\\nb\\x1b[31m\\udce9 Straße'


def test_texts_with_bytes_of_file_names(tmp_path: Path) -> None:
    atomic_write(tmp_path / 'page.html', HARD)
    assert (tmp_path / 'page.html').read_text(encoding='utf-8') == 'Straße × caf\\udce9'


def test_json_is_utf8() -> None:
    assert json_text(['Straße']) == '["Straße"]'
    assert json.loads(json_text([HARD])) == [HARD] and json_text([HARD]).isascii()


def test_annotations_are_read_as_utf8(tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_bytes('Straße'.encode())
    module = ModuleType('m')
    read_utf8(module)
    with vars(module)['open'](tmp_path / 'a.json') as file:
        assert file.encoding == 'utf-8' and file.read() == 'Straße'


def test_pycocotools_reads_them_so(tmp_path: Path) -> None:
    """In a process that has imported the package, in any locale."""
    from pycocotools import coco

    (tmp_path / 'a.json').write_bytes('Straße'.encode())
    with vars(coco)['open'](tmp_path / 'a.json') as file:
        assert file.encoding == 'utf-8'


def test_notes_of_bad_images(tmp_path: Path) -> None:
    class Dataset:
        def prepare_data(self, index: int) -> int:
            if index == 0:
                raise FileNotFoundError(2, 'none', HARD)
            return index

        def __len__(self) -> int:
            return 2

    assert ReplaceBadImages(Dataset(), tmp_path / 'notes.jsonl')(0) == 1
    assert list(read_notes(tmp_path / 'notes.jsonl')) == [HARD]


def test_paths_for_the_disk() -> None:
    assert disk_path('Straße.png') == 'Straße.png'
    assert disk_path('\ud800.png') == '\udced\udca0\udc80.png'


@pytest.mark.slow
def test_training_in_ascii(tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data', classes=('Straße', 'bär'))
    for split in ('train', 'val'):
        file = data / 'annotations' / f'{split}.json'
        content = json.loads(file.read_text(encoding='utf-8'))
        content['images'][0]['file_name'] = 'Süß.png'
        file.write_text(json.dumps(content, ensure_ascii=False), encoding='utf-8')
        folder = data / 'images' / split
        (folder / '0.png').rename(folder / 'Süß.png')
    work = tmp_path / 'work'
    words = [REPOSITORY / 'tools' / 'train.py', DETECTOR, '--data', data, '--work-dir', work]
    words += [*SMALL, 'train_cfg.val_interval=1', 'report=False']
    shown = finish(tmp_path / 'log', sys.executable, *words, **ASCII)
    assert 'Logging error' not in shown and (work / 'epoch_1.pth').is_file()
    (log,) = work.glob('*/*.log')
    assert 'Straße' in log.read_text(encoding='utf-8')
