"""Images without objects train in every shipped pipeline that asks for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.datasets.transforms import RandomCrop
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData

from effnet_dense.compat.empty_images import has_objects
from effnet_dense.data.config_walk import leaf_datasets
from effnet_dense.engine.config import load_config
from effnet_dense.utils.sample_keys import KEEP_EMPTY
from tests.helpers.build import FOLDER, build
from tests.helpers.panoptic_data import in_place_of_coco, write_panoptic
from tests.helpers.tiny import SIZE, write_data

PLAIN = 'effnet_lite0_retinanet_finetune'
PANOPTIC = 'effnet_b3_panoptic_fpn_coco'
DETECTORS = [
    path.stem for path in sorted(FOLDER.glob('*.py')) if path.stem.endswith(('_coco', '_finetune'))
]
MIXES = ('mosaic', 'copypaste', 'rtmdet')
EMPTY = {'0.png', '1.png', '2.png'}


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images to train on; the first three have no objects."""
    folder = write_data(tmp_path_factory.mktemp('half_empty'), train=6)
    edit_annotations(folder, lambda records: [r for r in records if r['image_id'] > 3])
    return folder


def edit_annotations(folder: Path, edit: Any) -> None:
    file = folder / 'annotations' / 'train.json'
    content = json.loads(file.read_text(encoding='utf-8'))
    file.write_text(
        json.dumps({**content, 'annotations': edit(content['annotations'])}), encoding='utf-8'
    )


def training_data(config: Config, keep_empty: bool = True) -> Any:
    """Build the training dataset, with or without images without objects."""
    for leaf in leaf_datasets(config.train_dataloader.dataset):
        leaf.filter_cfg = dict(filter_empty_gt=not keep_empty)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(config.train_dataloader.dataset)


def count_objects(dataset: Any) -> dict[str, int]:
    """Image → number of its objects in one pass over the dataset."""
    np.random.seed(0)
    samples = [dataset[i]['data_samples'] for i in range(len(dataset))]
    return {Path(s.img_path).name: len(s.gt_instances.bboxes) for s in samples}


@pytest.mark.slow
@pytest.mark.parametrize('name', DETECTORS)
def test_each_image_trains_in_every_pipeline(name: str, data: Path, tmp_path: Path) -> None:
    if name == PANOPTIC:
        config = load_config(name, options=in_place_of_coco(write_panoptic(tmp_path)))
        assert count_objects(training_data(config)) == {
            '000000000001.jpg': 0,
            '000000000002.jpg': 2,
        }
        return
    found = count_objects(training_data(load_config(name, data)))
    assert len(found) == 6
    assert all(found[f'{number}.png'] for number in (3, 4, 5))
    assert (
        any(mix in name for mix in MIXES)
        or {image for image, count in found.items() if count == 0} == EMPTY
    )


@pytest.mark.parametrize('policy', ['light', 'heavy'])
def test_albumentations_keep_them(policy: str, data: Path) -> None:
    config = load_config(PLAIN, data)
    step = dict(type='effnet_dense.Albumentations', transforms=policy)
    config.train_dataloader.dataset.pipeline.insert(4, step)
    found = count_objects(training_data(config))
    assert {image for image, count in found.items() if count == 0} >= EMPTY


def test_efficientdets_policy_keeps_them(data: Path) -> None:
    config = load_config(PLAIN, data)
    policy = dict(type='effnet_dense.Policy', name='efficientdet', size=64)
    config.train_dataloader.dataset.pipeline[2:5] = [policy]
    assert count_objects(training_data(config)).keys() >= EMPTY


def test_not_asked_for_nothing_changes(tmp_path: Path) -> None:
    """Neither images without annotations nor those whose only boxes are too thin to train on."""
    folder = write_data(tmp_path, train=6)

    def edit(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        thin = [dict(r, bbox=[*r['bbox'][:2], 0.5, 8]) for r in records if r['image_id'] == 1]
        return thin + [r for r in records if r['image_id'] > 2]

    edit_annotations(folder, edit)
    dataset = training_data(load_config(PLAIN, folder), keep_empty=False)
    assert len(dataset) == 5, 'the thin box counts as an annotation'
    assert not has_objects(dataset.get_data_info(0)) and KEEP_EMPTY not in dataset.get_data_info(0)
    np.random.seed(0)
    paths = [Path(dataset[i]['data_samples'].img_path).name for i in range(5)]
    assert paths[0] != '0.png' and paths[1:] == ['2.png', '3.png', '4.png', '5.png']


def test_pipelines_of_others_are_left_alone(data: Path) -> None:
    config = load_config(PLAIN, data)
    config.train_dataloader.dataset.pipeline[0].type = 'LoadImageFromFile'
    assert not count_objects(training_data(config)).keys() & EMPTY


def test_a_crop_that_loses_the_boxes_is_rejected_as_before() -> None:
    crop = RandomCrop((8, 8))
    image = np.zeros((64, 64, 3), np.uint8)
    for boxes, marked, kept in (
        ([[60, 60, 64, 64]], True, False),
        ([], False, False),
        ([], True, True),
    ):
        np.random.seed(0)  # a crop far from the box
        sample = dict(
            img=image,
            gt_bboxes=HorizontalBoxes(torch.tensor(boxes).reshape(-1, 4).float()),
            gt_bboxes_labels=np.zeros(len(boxes), np.int64),
            gt_ignore_flags=np.zeros(len(boxes), bool),
            **({KEEP_EMPTY: True} if marked else {}),
        )
        assert (crop(sample) is not None) == kept


@pytest.mark.parametrize(
    'name',
    [
        *(PLAIN, 'efficientdet_lite0_finetune', 'effnet_lite0_mask_rcnn_finetune'),
        'effnet_b0_rtmdet_ins_coco',
    ],
)
def test_a_batch_without_objects_has_a_loss(name: str) -> None:
    model = build(load_config(name)).train()
    sizes = dict.fromkeys(
        ('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape'), (SIZE, SIZE)
    )
    samples = [empty_sample(sizes) for _ in range(2)]
    images = [torch.randint(0, 255, (3, SIZE, SIZE), dtype=torch.uint8)] * 2
    with DefaultScope.overwrite_default_scope('mmdet'):
        batch = model.data_preprocessor(dict(inputs=images, data_samples=samples), True)
        loss, _ = model.parse_losses(model(**batch, mode='loss'))
        loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def empty_sample(sizes: dict[str, Any]) -> DetDataSample:
    sample = DetDataSample(metainfo=dict(sizes, scale_factor=(1.0, 1.0)))
    none = dict(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    masks = BitmapMasks(np.zeros((0, SIZE, SIZE), np.uint8), SIZE, SIZE)
    sample.gt_instances = InstanceData(**none, masks=masks)
    sample.ignored_instances = InstanceData(**none)
    sample.gt_sem_seg = PixelData(sem_seg=torch.full((1, SIZE, SIZE), 100, dtype=torch.uint8))
    return sample
