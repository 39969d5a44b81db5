"""A run's facts, from its config and what was built."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.runner import BaseLoop
from torch import nn

from effnet_dense.engine.config import load_config
from effnet_dense.engine.hooks.best import KEY, Best
from effnet_dense.report.summary import summarise, summary_section, task_of

ITERS = 'effnet_lite0_bifpn_camvid'


@pytest.mark.parametrize(
    ('config', 'task'),
    [
        ('effnet_lite0_retinanet_finetune', 'object detection'),
        ('effnet_lite0_mask_rcnn_finetune', 'instance segmentation'),
        (ITERS, 'semantic segmentation'),
        ('effnet_b3_panoptic_fpn_coco', 'panoptic segmentation'),
    ],
)
def test_tasks(config: str, task: str) -> None:
    assert task_of(load_config(config)) == task


class Images(list):  # type: ignore[type-arg]
    """A dataset."""

    metainfo = {'classes': ('a', 'b')}
    data_prefix = {'img': 'data/images/val'}


class Loop(BaseLoop):
    """A loop over a number of images."""

    def __init__(self, count: int) -> None:
        loader: Any = SimpleNamespace(dataset=Images(range(count)))
        super().__init__(None, loader)

    def run(self) -> None:
        """Do nothing."""


def summary_of(config: Any, info: dict[str, Any], **loops: Any) -> dict[str, str]:
    runner: Any = SimpleNamespace(
        cfg=config,
        model=nn.Linear(10, 10),
        world_size=3,
        message_hub=SimpleNamespace(runtime_info=info),
        **loops,
    )
    return summarise(runner)


def test_facts_of_a_training_in_their_order() -> None:
    config = load_config('effnet_lite0_retinanet_finetune')
    config.optim_wrapper.accumulative_counts = 2
    info = {KEY: Best('coco/bbox_mAP', 0.25, 3).as_dict()}
    facts = summary_of(config, info, _train_loop=Loop(4), _val_loop=Loop(2))
    assert facts['data'] == '4 images to train on, 2 images to validate on, 2 classes'
    assert facts['size'] == '320 × 320 pixels'
    assert facts['batch'] == '24 images per step (4 per device × 3 devices × 2 accumulated)'
    assert facts['rate'].startswith('0.001 (AdamW; LinearLR, CosineAnnealingLR')
    assert facts['length'] == '15 epochs'
    assert facts['best'] == 'box AP 0.250 after epoch 3'
    rows = summary_section(dict(name='x', duration='0:01:00', summary=facts)).tables[0].rows
    assert [row[0] for row in rows][:3] == ['Config', 'Task', 'Model']
    assert rows[-1] == ['Duration', '0:01:00']


@pytest.mark.parametrize(
    ('name', 'loop'), [('effnet_lite0_retinanet_finetune', '_test_loop'), (ITERS, '_val_loop')]
)
def test_an_evaluation_has_no_facts_of_a_training(name: str, loop: str) -> None:
    """The config's epochs need not be those that its checkpoint was trained for."""
    config = load_config(name)
    loops = {'_val_loop': None, '_test_loop': None, loop: Loop(2)}
    facts = summary_of(config, {}, _train_loop=config.train_cfg, **loops)
    assert '2 classes' in facts['data'] and '2 images' in facts['data']
    assert facts['folder'] == 'data/images/val'
    assert not {'batch', 'rate', 'length'} & set(facts)


def test_a_report_of_an_earlier_version_has_no_facts() -> None:
    rows = summary_section(dict(name='x', duration='0:01:00')).tables[0].rows
    assert rows == [['Config', 'x'], ['Duration', '0:01:00']]
