"""The page's section about the data has the counts of the run's own annotation files."""

from __future__ import annotations

import json
from pathlib import Path

from mmengine.config import Config

from effnet_dense.report.data_sections import data_sections, save_objects
from effnet_dense.report.store import load_json, start_data
from tests.helpers.coco_folder import tiny_coco


def test_charts_and_tables_of_both_parts(tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_text(json.dumps(tiny_coco()), encoding='utf-8')
    resize = dict(type='Resize', scale=(32, 32), keep_ratio=True)
    dataset = dict(type='CocoDataset', ann_file=str(tmp_path / 'a.json'), pipeline=[resize])
    loader = dict(dataset=dataset)
    data = tmp_path / 'report' / 'data'
    data.mkdir(parents=True)
    save_objects(data, Config(dict(train_dataloader=loader, val_dataloader=loader)))
    (section,) = data_sections(tmp_path / 'report')
    assert 'resized to 32 × 32' in section.note
    assert [chart.caption for chart in section.charts] == [
        'Training: ant has 2 × as many objects as cat (2 and 1)',
        'Validation: ant has 2 × as many objects as cat (2 and 1)',
    ]
    assert all(chart.file.stat().st_size > 1000 for chart in section.charts)
    assert section.tables[0].rows[1] == ('ant', 2, 2, 0, 2, 0, 0)
    assert section.tables[0].rows[-1] == ('all', '', 4, 0, 4, 0, 0)


def test_no_section_without_coco_files(tmp_path: Path) -> None:
    save_objects(tmp_path, Config(dict(train_dataloader=None)))
    assert data_sections(tmp_path) == []


def test_a_test_keeps_the_counts_of_what_was_trained_on(tmp_path: Path) -> None:
    (tmp_path / 'a.json').write_text(json.dumps(tiny_coco()), encoding='utf-8')
    resize = dict(type='Resize', scale=(32, 32), keep_ratio=True)
    dataset = dict(type='CocoDataset', ann_file=str(tmp_path / 'a.json'), pipeline=[resize])
    gone = dict(dataset, ann_file=str(tmp_path / 'gone.json'))
    both = dict(train_dataloader=dict(dataset=dataset), val_dataloader=dict(dataset=dataset))
    tested = dict(both, train_dataloader=dict(dataset=gone))
    save_objects(start_data(tmp_path / 'report'), Config(both))
    data = start_data(tmp_path / 'report')
    save_objects(data, Config(tested), training=False)
    (section,) = data_sections(tmp_path / 'report')
    assert [chart.caption.split(':')[0] for chart in section.charts] == ['Training', 'Validation']
    other = dict(resize, scale=(64, 64))
    save_objects(
        data,
        Config(dict(tested, train_dataloader=dict(dataset=dict(gone, pipeline=[other])))),
        training=False,
    )
    assert list(load_json(data / 'objects.json')['parts']) == ['val'], 'counted at another size'
    save_objects(data, Config(both))
    save_objects(data, Config(tested))
    assert list(load_json(data / 'objects.json')['parts']) == ['val'], 'a training of other data'
