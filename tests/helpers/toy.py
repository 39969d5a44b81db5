"""Trainings of a linear layer, in milliseconds: what runners do besides the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from torch import Tensor, nn
from torch.utils.data import Dataset

from effnet_dense.engine.runner import Runner

OPTIMIZER = dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0)
SCHEDULE = [dict(type='MultiStepLR', milestones=[3], by_epoch=True)]


@MODELS.register_module()
class ToyModel(BaseModel):
    """A linear layer with a norm, and arguments that its weights do not depend on."""

    def __init__(
        self,
        width: int = 2,
        act: str = 'relu',
        drop_rate: float = 0.0,
        init_cfg: Any = None,
        data_preprocessor: Any = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.layer = nn.Linear(2, width)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, inputs: list[Tensor], mode: str = 'loss') -> Any:
        """Inputs (N, 2) → the loss."""
        return dict(loss=self.norm(self.layer(torch.stack(inputs))).square().mean())


@DATASETS.register_module()
class ToyData(Dataset):
    """Eight pairs of numbers."""

    def __init__(self, root: str = '', classes: tuple[str, ...] = ('a', 'b')) -> None:
        self.metainfo = dict(classes=tuple(classes))

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return dict(inputs=torch.tensor([index, index % 3], dtype=torch.float32))


def toy_config(work_dir: Path, **changes: Any) -> Config:
    """Four epochs of four steps, without validation; `changes` are dotted keys."""
    config = Config(
        dict(
            default_scope='mmengine',
            model=dict(type='ToyModel'),
            work_dir=str(work_dir),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=4),
            train_dataloader=dict(
                batch_size=2,
                num_workers=0,
                dataset=dict(type='ToyData'),
                sampler=dict(type='DefaultSampler', shuffle=True),
            ),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(OPTIMIZER)),
            param_scheduler=[dict(part) for part in SCHEDULE],
            default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
            randomness=dict(seed=0),
            report=False,
            runner_type='effnet_dense.Runner',
        )
    )
    whole = {key: value for key, value in changes.items() if '.' not in key}
    config.merge_from_dict({key: value for key, value in changes.items() if '.' in key})
    for key, value in whole.items():
        config[key] = value
    return config


def toy_runner(work_dir: Path, **changes: Any) -> Runner:
    """A runner of `toy_config`."""
    runner = Runner.from_cfg(toy_config(work_dir, **changes))
    assert isinstance(runner, Runner)
    return runner


def toy_log(work_dir: Path) -> str:
    """The log of the newest run in a folder."""
    return max(work_dir.glob('*/*.log')).read_text(encoding='utf-8')
