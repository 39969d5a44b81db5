"""The shipped examples of mosaic and copy-paste combine several images in a sample."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmdet.registry import DATASETS
from mmengine.registry import DefaultScope

from effnet_dense.engine.config import load_config
from tests.helpers.tiny import write_data


@pytest.mark.parametrize(
    ('name', 'masks'),
    [
        ('effnet_lite0_retinanet_mosaic_finetune', False),
        ('effnet_lite0_mask_rcnn_copypaste_finetune', True),
    ],
)
def test_shipped_examples_combine_images(name: str, masks: bool, tmp_path: Path) -> None:
    data = write_data(tmp_path)
    config = load_config(name, data)
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(config.train_dataloader.dataset)
    largest = 0
    for index in [*range(len(dataset))] * 5:
        sample = dataset[index]
        instances = sample['data_samples'].gt_instances
        assert tuple(sample['inputs'].shape[1:]) <= (320, 320)
        assert len(instances.bboxes) == len(instances.labels) > 0
        if masks:
            assert len(instances.masks) == len(instances.labels)
        largest = max(largest, len(instances.labels))
    assert largest > 2  # each image has two objects
