"""Every layout of tools and datasets: read to the pixel, in training and testing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS, METRICS
from mmseg.utils import register_all_modules
from PIL import Image

from effnet_dense.data import find_labels, use_data
from effnet_dense.data.config_walk import metrics_of
from effnet_dense.data.label_maps.layouts import find_layout
from effnet_dense.data.label_maps.pairs import find_pairs
from effnet_dense.engine.config import load_config
from tests.helpers.label_layouts import WRITERS, Written, truth

SPLIT_NAMES = {'train': ('a1', 'a2', 'a3', 'a4', 'a5'), 'val': ('b1', 'b2', 'b3')}


@pytest.fixture(scope='module', autouse=True)
def _mmseg_scope() -> Iterator[None]:
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture(scope='module')
def config() -> Config:
    return load_config('effnet_lite0_fpn_camvid')


def dataset(cfg: Config, loop: str) -> Any:
    return DATASETS.build(cfg[f'{loop}_dataloader'].dataset)


def loaded(data: Any) -> list[np.ndarray]:
    """Label maps after a test pipeline."""
    return [data[i]['data_samples'].gt_sem_seg.data[0].numpy() for i in range(len(data))]


def image_name(data: Any, index: int) -> str:
    return Path(data.get_data_info(index)['img_path']).name


def oracle(cfg: Config, data: Any, maps: list[np.ndarray]) -> float:
    """Return the mIoU of predictions that equal the label maps; others count where it is 255."""
    (evaluator,) = [m for m in metrics_of(cfg.test_evaluator) if m.type == 'IoUMetric']
    metric = METRICS.build(evaluator)
    metric.dataset_meta = data.metainfo
    for values in map(torch.from_numpy, maps):
        predicted = torch.where(values == 255, 1, values)
        sample = {'pred_sem_seg': {'data': predicted}, 'gt_sem_seg': {'data': values}}
        metric.process({}, [sample])
    return float(metric.evaluate(len(maps))['mIoU'])


def write(root: Path, name: str) -> tuple[Written, dict[str, list[np.ndarray]]]:
    root.mkdir()
    maps = {'train': truth(5), 'val': truth(3, seed=1)}
    named = {part: dict(zip(SPLIT_NAMES[part], maps[part], strict=True)) for part in maps}
    return WRITERS[name](root, named['train'], named['val']), maps


@pytest.mark.parametrize('name', WRITERS)
def test_layout(name: str, tmp_path: Path, config: Config) -> None:
    written, maps = write(tmp_path / 'set', name)
    cfg = config.copy()
    source = use_data(cfg, tmp_path / 'set')
    assert source.classes[: len(written.classes)] == written.classes
    test = cfg.test_dataloader.dataset.pipeline
    for loop in ('train', 'val'):  # as they are, without augmentation
        cfg[f'{loop}_dataloader'].dataset.pipeline = test
    parts = {loop: dataset(cfg, loop) for loop in ('train', 'val')}
    found = {part: loaded(data) for part, data in parts.items()}
    table = np.full(256, 255, dtype=np.uint8)
    table[[0, 1, 2, 255]] = written.labels
    expected = {part: [table[values] for values in maps[part]] for part in maps}
    if written.one_part:
        names = [image_name(data, i) for data in parts.values() for i in range(len(data))]
        both = dict(zip(names, found['train'] + found['val'], strict=True))
        np.testing.assert_array_equal(
            [both[name] for name in sorted(names)], expected['train'] + expected['val']
        )
    else:
        for part in parts:
            np.testing.assert_array_equal(found[part], expected[part])
    assert oracle(cfg, parts['val'], found['val']) == 100.0


@pytest.mark.parametrize('name', WRITERS)
def test_testing_needs_val_only(name: str, tmp_path: Path) -> None:
    write(tmp_path / 'set', name)
    both, val = find_labels(tmp_path / 'set'), find_labels(tmp_path / 'set', ('val',))
    assert val.splits == {'val': both.splits['val']}
    assert val.classes == both.classes
    assert val.reports['val'].pixels == both.reports['val'].pixels


def test_what_was_decided_is_said(tmp_path: Path) -> None:
    def remarks(name: str) -> str:
        write(tmp_path / name, name)
        return ' | '.join(find_labels(tmp_path / name).remarks)

    assert remarks('ours') == ''
    assert (
        remarks('roboflow') == 'valid is used as val | the classes are those of train/_classes.csv'
    )
    assert remarks('colours') == 'test is used as val'
    assert remarks('cvat').startswith(
        'there is one part, ImageSets/Segmentation/default.txt: 20% of its images, chosen by their '
        'names and seed 0, are val (each image on its own) | the classes are those of labelmap.txt'
    )
    assert remarks('voc') == (
        'the dataset lies in VOCdevkit/VOC2012/ | the classes are those of Pascal VOC'
    )
    assert 'labelIds, mapped to the 19 train ids' in remarks('label_ids')
    assert 'ADE20K (0 is no class)' in remarks('ade20k')


def test_a_split_without_label_maps_is_not_drawn_from_another(tmp_path: Path) -> None:
    write(tmp_path / 'set', 'ours')
    (tmp_path / 'set/labels/val').rename(tmp_path / 'set/elsewhere')
    with pytest.raises(FileNotFoundError, match=r'folders that are missing: .*labels/val'):
        find_layout(tmp_path / 'set', ('train', 'val'))
    assert find_layout(tmp_path / 'set', ('train',)) is not None


def test_only_val(tmp_path: Path) -> None:
    write(tmp_path / 'set', 'part_first')
    (tmp_path / 'set/train').rename(tmp_path / 'elsewhere')
    with pytest.raises(FileNotFoundError, match=r"no split to train on, only \['val'\]"):
        find_labels(tmp_path / 'set')


def test_frames_of_one_video_stay_together(tmp_path: Path) -> None:
    names = [f'clip{video}_{frame:04d}' for video in range(8) for frame in range(2)]
    maps = dict(zip(names, truth(16), strict=True))
    (tmp_path / 'set').mkdir()
    WRITERS['camvid'](tmp_path / 'set', maps, {})
    source = find_labels(tmp_path / 'set')
    assert 'videos by the beginnings of the names' in source.remarks[0]
    videos = [
        {pair.image.stem.split('_')[0] for pair in find_pairs(part)}
        for part in source.splits.values()
    ]
    assert videos[0] and videos[1] and not videos[0] & videos[1]


def test_all_of_one_part_is_evaluated(tmp_path: Path) -> None:
    write(tmp_path / 'set', 'camvid')
    source = find_labels(tmp_path / 'set', ('val',), val_share=1)
    assert source.reports['val'].images == 8 and source.remarks[0] == 'all images are evaluated'
    with pytest.raises(ValueError, match='--val-share 1 leaves no image to train on'):
        find_labels(tmp_path / 'set', val_share=1)
    halves = find_labels(tmp_path / 'set', val_share=0.5, split_seed=3).reports
    assert sum(report.images for report in halves.values()) == 8


@pytest.mark.parametrize('name', ['ours', 'part_first', 'camvid'])
def test_label_maps_as_jpeg(name: str, tmp_path: Path) -> None:
    write(tmp_path / 'set', name)
    for path in [*(tmp_path / 'set').rglob('*.png')]:
        path.rename(path.with_suffix('.jpg'))
    with pytest.raises(
        ValueError, match=r'format that changes values, expected \.png, \.tif or \.bmp: a1'
    ) as found:
        find_labels(tmp_path / 'set')
    if name != 'camvid':  # whose ending _L is found by other files
        assert 'image without a label map' not in str(found.value)


JSON = st.recursive(
    st.none() | st.integers(-1, 300) | st.sampled_from(['ignore', 'car', '#ff0000', 'values']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(['classes', 'values', 'colours', 'ignore', 'first', '0', '255', 'car']),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
PLACES = (
    'images/train/a',
    'labels/train/a',
    'masks/a',
    'images/a',
    'train/a',
    'train/a_mask',
    'a_L',
)


@given(
    st.none() | JSON,
    st.dictionaries(
        st.sampled_from([f'{p}{suffix}' for p in PLACES for suffix in ('.png', '.jpg', '.tif')]),
        st.sampled_from(['L', 'P', 'RGB', 'RGBA', '1', 'I;16', 'damaged', 'empty', 'folder']),
        max_size=6,
    ),
)
@settings(max_examples=50, deadline=None)
def test_any_folder_is_read_or_refused_in_a_sentence(content: Any, files: dict[str, str]) -> None:
    with TemporaryDirectory() as place:
        root = Path(place) / 'set'
        root.mkdir()
        if content is not None:
            (root / 'classes.json').write_text(json.dumps(content), encoding='utf-8')
        for name, kind in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            if kind == 'folder':
                (root / name).mkdir()
            elif kind in ('damaged', 'empty'):
                (root / name).write_bytes(b'\x89PNG' if kind == 'damaged' else b'')
            else:
                pixels = np.random.default_rng(len(name)).integers(0, 3, (6, 8), dtype=np.uint8)
                shown = Image.fromarray(pixels.astype(np.uint16) * 100)
                if kind != 'I;16':
                    shown = Image.fromarray(pixels * 100).convert('RGB').convert(kind)
                name = name.replace('.jpg', '.png') if kind in ('P', 'RGBA', 'I;16') else name
                shown.save(root / name)
        try:
            found = find_labels(root)
        except (ValueError, FileNotFoundError) as error:
            assert str(root) in str(error)
        else:
            assert found.classes and any(sum(r.pixels) for r in found.reports.values())
