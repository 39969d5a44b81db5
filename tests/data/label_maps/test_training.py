"""CamVid's label maps in colours, and as masks of 0 and 255, train and evaluate like indices."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, init_default_scope
from PIL import Image

from effnet_dense.data import use_data
from effnet_dense.engine.config import load_config
from tests.helpers.tiny import as_arguments
from tests.helpers.tiny_models import SEGMENTOR
from tests.helpers.tool import call

CAR, VOID = 8, 11
SIDE = 64


def colours_of_camvid() -> np.ndarray:
    """One colour (12, 3) for each class and for void, which is black."""
    palette = load_config(SEGMENTOR).train_dataloader.dataset.metainfo.palette
    return np.array([*palette, [0, 0, 0]], dtype=np.uint8)


def copied(
    shared: Path, root: Path, classes: Any, change: Callable[[np.ndarray], np.ndarray]
) -> Path:
    """Copy a few images of CamVid with changed label maps."""
    for part, count in (('train', 4), ('val', 2)):
        (root / 'images' / part).mkdir(parents=True)
        (root / 'labels' / part).mkdir(parents=True)
        for path in sorted((shared / 'camvid/labels' / part).glob('*.png'))[::40][:count]:
            shutil.copy(
                shared / 'camvid/images' / part / f'{path.stem}.jpg', root / 'images' / part
            )
            changed = change(np.asarray(Image.open(path)))
            Image.fromarray(changed).save(root / 'labels' / part / path.name)
    if classes is not None:
        (root / 'classes.json').write_text(json.dumps(classes), encoding='utf-8')
    return root


def variants(shared: Path, folder: Path) -> dict[str, list[Path]]:
    """Folders of the same labels, written in different ways."""
    original = json.loads((shared / 'camvid/classes.json').read_text(encoding='utf-8'))
    table = colours_of_camvid()
    names = [*original['classes'], 'ignore']
    listed = {f'rgb({r}, {g}, {b})': name for (r, g, b), name in zip(table, names, strict=True)}
    two = {'classes': ['background', 'car']}
    several = [
        copied(shared, folder / 'index', original, lambda values: values),
        copied(shared, folder / 'rgb', {'colours': listed}, lambda values: table[values]),
    ]
    binary = [
        copied(shared, folder / 'one', two, lambda v: (v == CAR).astype(np.uint8)),
        copied(shared, folder / 'mask', two, lambda v: (v == CAR).astype(np.uint8) * 255),
    ]
    return {'several': several, 'binary': binary}


@pytest.mark.parametrize('kind', ['several', 'binary'])
def test_training_samples_are_equal(shared_data: Path, tmp_path: Path, kind: str) -> None:
    samples = []
    for root in variants(shared_data, tmp_path)[kind]:
        cfg = load_config(SEGMENTOR)
        init_default_scope('mmseg')
        use_data(cfg, root)
        np.random.seed(0)
        sample = DATASETS.build(cfg.train_dataloader.dataset)[1]
        samples.append((sample['inputs'], sample['data_samples'].gt_sem_seg.data))
        classes = cfg.model.decode_head.num_classes
    for first, second in zip(*samples, strict=True):
        assert torch.equal(first, second)
    values = set(samples[0][1].unique().tolist())
    assert values <= {*range(classes), 255} and len(values) > 1


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['several', 'binary'])
def test_weights_and_metrics_are_equal(
    shared_data: Path, tmp_path: Path, kind: str, quiet_loggers: None
) -> None:
    pipeline = 'train_dataloader.dataset.pipeline'
    words = as_arguments(
        {
            'model.backbone.init_cfg': None,
            'model.data_preprocessor.size': (SIDE, SIDE),
            f'{pipeline}.3.crop_size': (SIDE, SIDE),
            'train_dataloader.batch_size': 2,
            'train_cfg.max_iters': 2,
            'train_cfg.val_interval': 2,
            'default_hooks.checkpoint.interval': 2,
            **{
                f'{loop}_dataloader.{key}': value
                for loop in ('train', 'val', 'test')
                for key, value in (('num_workers', 0), ('persistent_workers', False))
            },
        }
    )
    found = []
    for root in variants(shared_data, tmp_path)[kind]:
        work = tmp_path / f'work_{root.name}'
        assert call('train', SEGMENTOR, '--data', root, '--work-dir', work, *words) == 0
        weights = torch.load(work / 'iter_2.pth', weights_only=False)['state_dict']
        (lines,) = work.glob('*/vis_data/scalars.json')
        scalars = [json.loads(line) for line in lines.read_text(encoding='utf-8').splitlines()]
        found.append((weights, next(line['mIoU'] for line in scalars if 'mIoU' in line)))
    (first, first_iou), (second, second_iou) = found
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert first_iou == second_iou
