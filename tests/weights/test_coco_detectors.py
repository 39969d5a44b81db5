"""The table of published detectors beside effdet's and mmdet's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mmdet
import pytest
import yaml

from effnet_dense.engine.config import find_config
from effnet_dense.weights import fetch, source_info
from effnet_dense.weights.coco_detectors import COCO_DETECTORS, CocoDetector
from effnet_dense.weights.image_statistics import HALF, IMAGENET
from effnet_dense.weights.sources import coco_detector
from tests.helpers.documents import ROOT, tables

ROWS = pytest.mark.parametrize('row', COCO_DETECTORS.values(), ids=lambda row: row.source)
# Of effdet's models with EfficientNet and BiFPN; 'q', 'w' and V2 have other pyramids or backbones.
OURS = re.compile(r'(tf_)?efficientdet_(d|lite)\d')


@ROWS
def test_a_row_is_complete(row: Any) -> None:
    assert re.fullmatch(
        r'https://(github\.com/rwightman/efficientdet-pytorch/releases/download/v0\.1'
        r'|download\.openmmlab\.com/mmdetection/v[23]\.0/[\w/-]+)/\w[\w-]*-[0-9a-f]{8}\.pth',
        row.url,
    )
    assert re.fullmatch('[0-9a-f]{8}', row.sha256)
    assert row.url.endswith(f'/{row.file}-{row.sha256}.pth')
    assert find_config(row.config).is_file()
    assert 20 < row.ap < 60
    assert row.licence == 'Apache-2.0'


@ROWS
def test_names_urls_and_files_are_one(row: Any) -> None:
    for source in (
        row.source,
        row.url,
        f'~/{row.file}-{row.sha256}.pth',
        f'C:\\{row.file}-01234567.pth',
    ):
        assert coco_detector(source) is row
        info = source_info(source)
        assert info is not None
        assert (info.mean, info.std) == row.statistics


def test_effdets_own_table() -> None:
    config = pytest.importorskip('effdet.config.model_config')
    given = pytest.importorskip('effdet.data.input_config').resolve_input_config
    known = set()
    for name in filter(OURS.match, config.efficientdet_model_param_dict):
        theirs = config.get_efficientdet_config(name)
        if not theirs.url:
            continue
        row = COCO_DETECTORS[f'effdet://{name}']
        known.add(row.source)
        images = given({}, theirs)
        assert row.url == theirs.url
        assert row.statistics[0] == pytest.approx([255 * x for x in images['mean']])
        assert row.statistics[1] == pytest.approx([255 * x for x in images['std']])
        assert row.pad_value == {'mean': 0.0, 0: -1.0}[images['fill_color']]
        assert row.padding == (theirs.pad_type or 'symmetric')
        assert row.anchor_scale == theirs.anchor_scale
        assert row.config.split('_')[1] in name
    assert known == {source for source in COCO_DETECTORS if source.startswith('effdet')}
    assert len(known) == 2 + 9 + 6 + 6  # d0, d1; tf_: d0 … d7x, d0_ap … d5_ap, lite0 … lite4


def test_mmdets_own_table() -> None:
    path = Path(mmdet.__file__).parent / '.mim' / 'configs' / 'efficientnet' / 'metafile.yml'
    if not path.is_file():
        pytest.skip('this mmdet comes without its configs')
    model = yaml.safe_load(path.read_text(encoding='utf-8'))['Models'][0]
    row = COCO_DETECTORS[f'mmdet://{model["Name"]}']
    assert row.url == model['Weights']
    assert row.ap == model['Results'][0]['Metrics']['box AP']


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        (
            'effdet://tf_efficientdet_d8',
            r"effdet:// has no detector 'tf_efficientdet_d8': the near",
        ),
        ('effdet://resdet50', "effdet:// has no detector 'resdet50'"),
        ('mmdet://yolox', r"mmdet:// has no detector 'yolox': it has retinanet_effb3\w*-crop896"),
    ],
)
def test_unknown_names(source: str, message: str) -> None:
    for look_up in (source_info, fetch):
        with pytest.raises(ValueError, match=message):
            look_up(source)


def cells(row: CocoDetector) -> list[str]:
    """A row's cells in the documentation."""
    images = {IMAGENET: "ImageNet's", HALF: '127.5'}[row.statistics]
    border = 'black' if row.pad_value else 'mean'  # 0 is the mean, once normalised
    scale = '' if row.head == 'RetinaSepBNHead' else f'{row.anchor_scale}'
    return [
        f'`{row.source}`',
        f'`{row.config}`',
        f'{row.ap}',
        f'{images} ({border})',
        row.padding,
        scale,
        f'`{row.file}-{row.sha256}.pth`',
    ]


def test_the_page_has_the_same_table() -> None:
    rows = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for table in tables(ROOT / 'docs' / 'coco-starts.md')
        for line in table
        if line.startswith(('| `effdet://', '| `mmdet://'))
    ]
    assert rows == [cells(row) for row in COCO_DETECTORS.values()]
