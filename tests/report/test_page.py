"""The page as a browser reads it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from effnet_dense.data.coco import CocoSplit, clean_coco
from effnet_dense.data.skipping import SkipBad
from effnet_dense.report import write_page
from effnet_dense.report.collectors import SegmentationCollector
from effnet_dense.report.detection import evaluate
from effnet_dense.report.save import save_results
from effnet_dense.report.store import save_arrays, save_json
from tests.helpers.coco_folder import write_folder
from tests.helpers.known_detections import CAT_IDS, CLASSES, SIZE, results, truth

RUN: dict[str, Any] = dict(
    name='my_config',
    what='Test of <b>best.pth</b>',
    date='2026-01-02 03:04 UTC',
    duration='0:09:30',
    images=4,
    score_thr=0.3,
    classes=list(CLASSES),
    palette=None,
    metrics={'coco/bbox_mAP': 0.1234, 'coco/bbox_mAP_s': -1.0},
    versions={'torch': '2.14.1', 'commit': 'abc'},
    hardware={'Processor': 'some, 2 cores'},
    config='model = dict(a=1)\n',
)


class Page(HTMLParser):
    """Ids of sections, texts of table rows and captions, and what would be loaded."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.sections: list[str] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        values = dict(attrs)
        if tag == 'section':
            self.sections.append(str(values['id']))
        if tag == 'tr':
            self.rows.append([])
        self.loads += [str(values[key]) for key in ('src', 'href') if values.get(key)]
        assert tag not in ('link', 'iframe', 'object'), tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ['td'] and data.strip():
            self.rows[-1].append(data.strip())
        self.texts.append(data.strip())

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    """What an evaluation leaves."""
    image = tmp_path / 'image.png'
    cv2.imwrite(str(image), np.full((SIZE, SIZE, 3), 90, np.uint8))
    folder = tmp_path / 'work'
    data = folder / 'report' / 'data'
    data.mkdir(parents=True)
    found = evaluate(results(str(image)), truth(), CAT_IDS, score_thr=0.3)
    save_arrays(data / 'detections.npz', found)
    save_json(data / 'run.json', RUN)
    scalars = folder / '20260102_000000' / 'vis_data' / 'scalars.json'
    scalars.parent.mkdir(parents=True)
    scalars.write_text(
        json.dumps(dict(lr=0.1, base_lr=0.2, loss=3.0, time=1.0, step=5)), encoding='utf-8'
    )
    return folder


def test_sections_figures_and_no_loads(work_dir: Path) -> None:
    path = write_page(work_dir)
    assert path == work_dir / 'report' / 'index.html'
    page = Page(path)
    expected = ['summary', 'classes', 'thresholds', 'errors', 'images', 'curves', 'run', 'config']
    assert page.sections == expected
    assert all(each.startswith(('data:image/', '#')) for each in page.loads)
    assert sum(each.startswith('data:image/jpeg;base64,') for each in page.loads) == 3
    assert 'http://' not in path.read_text(encoding='utf-8') and 'https://' not in path.read_text(
        encoding='utf-8'
    )
    assert '@import' not in path.read_text(encoding='utf-8') and 'url(' not in path.read_text(
        encoding='utf-8'
    )
    rows = {row[0]: row[1:] for row in page.rows if row}
    table = next(row[1:] for row in page.rows if row[:1] == ['cat'])
    assert table[0] == '1.000' and table[-4:] == ['1', '3', '0.333', '1.000']
    assert rows['Duration of the run'] == ['0:09:30']
    assert rows['coco/bbox_mAP'] == ['0.123']
    assert rows['coco/bbox_mAP_s'] == ['–'], 'pycocotools writes -1'
    assert any(text.startswith('A dash stands for') for text in page.texts)
    assert any(text.startswith('There is one logged step so far') for text in page.texts)
    assert rows['commit'] == ['abc']
    assert 'model = dict(a=1)' in page.texts
    assert '<b>best.pth' not in path.read_text(encoding='utf-8'), 'names are text, not HTML'


def test_best_and_worst_in_order(work_dir: Path) -> None:
    texts = Page(write_page(work_dir)).texts
    start = texts.index('Best and worst images', texts.index('Errors', texts.index('Classes') + 8))
    shown = [text for text in texts[start:] if text in ('Best', 'Worst', '0.50', '0.30', '0.00')]
    assert shown == ['Best', '0.50', '0.30', 'Worst', '0.00']
    assert any('1 right, 1 wrong, 1 missed' in text for text in texts)


@pytest.mark.slow
def test_the_same_data_give_the_same_page(work_dir: Path, tmp_path: Path) -> None:
    first = write_page(work_dir).read_bytes()
    assert write_page(work_dir).read_bytes() == first
    (tmp_path / 'image.png').unlink()
    assert write_page(work_dir).read_bytes() == first, 'drawn images are kept'
    for drawing in (work_dir / 'report' / 'images').iterdir():
        drawing.unlink()
    assert 'The image cannot be read.' in Page(write_page(work_dir)).texts


def test_skipped_images_follow_the_curves(work_dir: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / 'data')
    (folder / 'images' / 'val' / 'a.png').write_bytes(b'no image')
    split = CocoSplit(folder / 'annotations' / 'val.json', folder / 'images' / 'val')
    clean_coco('val', split, SkipBad(work_dir, 0.5))
    page = Page(write_page(work_dir))
    assert page.sections[5:8] == ['curves', 'skipped', 'run']
    (row,) = [row for row in page.rows if row and row[0] == 'validation']
    assert row[1].endswith('a.png')


def test_a_training_without_an_evaluation(work_dir: Path) -> None:
    (work_dir / 'report' / 'data' / 'run.json').unlink()
    page = Page(write_page(work_dir))
    assert page.sections == ['curves']


def test_nothing_to_report_and_damaged_data(work_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'expected report/data/run\.json'):
        write_page(tmp_path)
    assert not (tmp_path / 'report').exists()
    path = work_dir / 'report' / 'data' / 'detections.npz'
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r'detections\.npz does not hold the arrays of Detections'):
        write_page(work_dir)
    (work_dir / 'report' / 'data' / 'run.json').write_text('{', encoding='utf-8')
    with pytest.raises(ValueError, match=r'run\.json is not JSON'):
        write_page(work_dir)
    for content in ('[]', 'null', '{}', '{"classes": ["a"]}', '3'):
        (work_dir / 'report' / 'data' / 'run.json').write_text(content, encoding='utf-8')
        with pytest.raises(ValueError, match=r'run\.json is damaged .* lacks'):
            write_page(work_dir)


def test_a_segmentations_page(work_dir: Path, tmp_path: Path) -> None:
    data = work_dir / 'report' / 'data'
    (data / 'detections.npz').unlink()
    # IoU 3/4 and 1/2: class 0 has 3 of 4 pixels, class 1 has 1 of 1 and one of class 0's.
    matrix = torch.tensor([[3, 1], [0, 1]]).to_sparse()
    png = cv2.imencode('.png', np.zeros((SIZE, SIZE), np.uint8))[1].tobytes()
    collector: Any = SegmentationCollector(SimpleNamespace(collect_device='cpu'))  # type: ignore[arg-type]
    path = str(tmp_path / 'image.png')
    collector.gathered = [dict(path=path, matrix=matrix, truth=png, found=png)]
    save_results(data, collector, 0.3)
    save_json(data / 'run.json', {**RUN, 'metrics': {'mIoU': 62.5, 'aAcc': 80.0, 'other': 1.0}})
    page = Page(write_page(work_dir))
    assert page.sections == [*('summary', 'classes', 'errors', 'images', 'curves', 'run', 'config')]
    rows = {row[0]: row[1:] for row in page.rows if row}
    assert rows['cat'] == ['0.750', '0.750', '0.800', '0.600']
    assert rows['dog'] == ['0.500', '1.000', '0.200', '0.400']
    tiles = [
        page.texts[page.texts.index(name) - 1] for name in ('mean IoU, %', 'pixel accuracy, %')
    ]
    assert tiles == ['62.5', '80.0']
    assert sum(each.startswith('data:image/jpeg;base64,') for each in page.loads) == 1
    assert '0.62' in page.texts, "the image's score"


def test_a_panoptic_page(work_dir: Path) -> None:
    data = work_dir / 'report' / 'data'
    (data / 'detections.npz').unlink()
    save_json(data / 'panoptic.json', [dict(name='cat', pq=0.25, sq=0.5, rq=0.5)])
    save_json(data / 'run.json', {**RUN, 'metrics': {'coco_panoptic/PQ': 25.0}})
    page = Page(write_page(work_dir))
    assert page.sections == ['summary', 'classes', 'curves', 'run', 'config']
    assert ['cat', '0.250', '0.500', '0.500'] in page.rows
    assert page.texts[page.texts.index('PQ') - 1] == '25.0'


def test_numbers_and_their_headers_are_aligned(work_dir: Path) -> None:
    text = write_page(work_dir).read_text(encoding='utf-8')
    text = text[text.index('id="classes"') :]
    table = text[text.index('<table>') : text.index('</table>')]
    heads = table.count('<th scope="col" class="figure">')
    assert heads == 8, 'AP, AP50, AP75, AR, objects, detections, precision, recall'
    assert table.count('<td class="figure">') == heads * len(CLASSES)
    assert '<th scope="col"><button type="button"></button></th>' not in text, 'an empty header'


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'^no such folder: .*nothere$'):
        write_page(tmp_path / 'nothere')
