"""A detector that predicts the ground truth, scored as `tools/test.py` scores: AP must be 1."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from effnet_dense.data import use_data
from effnet_dense.data.coco import CocoSource
from effnet_dense.data.parts import Division
from effnet_dense.engine.config import find_config
from effnet_dense.engine.config_files import read_config

BOXES = 'effnet_lite0_retinanet_finetune'
MASKS = 'effnet_lite0_mask_rcnn_finetune'


@dataclass(frozen=True)
class Oracle:
    """A dataset as a config uses it, and the AP of a perfect detector."""

    source: CocoSource
    config: Config
    ap: dict[str, float]

    @property
    def perfect(self) -> bool:
        """Whether each AP is 1."""
        return all(value > 0.9995 for value in self.ap.values())


def oracle(
    root: Path, work_dir: Path, masks: bool = False, division: Division | None = None
) -> Oracle:
    """Point a config at a dataset and score a perfect detector on its val.

    Training images are loaded, too, so that what only their loader finds is an error here.
    """
    config = copy.deepcopy(_config(MASKS if masks else BOXES))
    source = use_data(config, root, scratch=work_dir / 'data', division=division)
    assert isinstance(source, CocoSource)
    init_default_scope('mmdet')
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        plain = {'serialize_data': False}  # without two runs of the garbage collector
        train = DATASETS.build({**config.train_dataloader.dataset, **plain})
        for index in range(len(train)):
            train.prepare_data(index)
        dataset = DATASETS.build({**config.val_dataloader.dataset, **plain})
        metric = METRICS.build(config.val_evaluator)
        metric.dataset_meta = dataset.metainfo
        for index in range(len(dataset)):
            metric.process({}, [predicted(dataset[index]['data_samples'], masks)])
        results = metric.evaluate(len(dataset))
    kinds = ('bbox', 'segm') if masks else ('bbox',)
    return Oracle(source, config, {kind: results[f'coco/{kind}_mAP'] for kind in kinds})


@functools.cache
def _config(name: str) -> Config:
    return read_config(find_config(name))


def predicted(sample: Any, masks: bool) -> dict[str, Any]:
    """Return a sample's ground truth as a detector's output."""
    truth = sample.gt_instances
    prediction = {
        'bboxes': truth.bboxes.tensor if hasattr(truth.bboxes, 'tensor') else truth.bboxes,
        'labels': truth.labels,
        'scores': torch.ones(len(truth.labels)),
    }
    if masks:
        prediction['masks'] = truth.masks.to_tensor(torch.bool, 'cpu')
    return {
        'pred_instances': prediction,
        'img_id': sample.img_id,
        'ori_shape': sample.ori_shape,
    }
