"""The files that a config reads, looked for before a training starts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_nodes import SPLIT_OF, leaf_datasets, type_name
from effnet_dense.data.sources import EXPECTED

COCO_HELP = f"""\
COCO is at https://cocodataset.org/#download: unpack train2017.zip, val2017.zip and
annotations_trainval2017.zip in the folder that the config calls data_root, or link it
(ln -s /where/it/is data/coco). It then holds
  annotations/instances_train2017.json, annotations/instances_val2017.json, train2017/, val2017/
To use something else:
  --data DIR   your own pictures, class names and their number are read from the annotations;
{EXPECTED}
  --data demo  a small data set that is drawn in seconds, without any download"""


def check_data_files(cfg: Config, loops: Sequence[str] = tuple(SPLIT_OF)) -> None:
    """Make sure that the annotation files and folders of the config's data sets exist.

    Args:
        cfg: the config as it will run, after `--data` and `--cfg-options`.
        loops: those that will run, of 'train', 'val' and 'test'.

    Raises:
        FileNotFoundError: listing all that is missing, where to get it, what to use instead.
    """
    missing = list(missing_files(cfg, loops))
    if missing:
        raise FileNotFoundError(missing_data_message(cfg, missing))


def missing_files(cfg: Config, loops: Sequence[str] = tuple(SPLIT_OF)) -> Iterator[str]:
    """The paths that the loops' data sets need and that do not exist, each once."""
    wanted = [
        path
        for loop in loops
        if cfg.get(f'{loop}_dataloader')
        for dataset in leaf_datasets(cfg[f'{loop}_dataloader']['dataset'])
        for path in _paths(dataset)
    ]
    yield from (path for path in dict.fromkeys(wanted) if not os.path.exists(path))


def missing_data_message(cfg: Config, missing: Sequence[str]) -> str:
    """What is missing, and for a config on COCO where to get it and what `--data` can do."""
    lines = ["the config's data set is not there, these are missing:"]
    lines += [f'  {path}' for path in missing]
    train = cfg.get('train_dataloader') or cfg.get('val_dataloader') or cfg.get('test_dataloader')
    types = {type_name(d) for d in leaf_datasets(train['dataset'])} if train else set()
    if 'CocoDataset' in types:
        return '\n'.join([*lines, COCO_HELP])
    names = ', '.join(sorted(types)) or 'the data set'
    return '\n'.join([*lines, f'{names} must be downloaded and laid out as the config says.'])


def _paths(dataset: Any) -> Iterator[str]:
    """Annotation file and folders of one data set; what lies on other backends is not looked at."""
    if dataset.get('backend_args') or type_name(dataset) == 'BaseDataset':
        return
    root = dataset.get('data_root') or ''
    prefix = dataset.get('data_prefix') or {}
    for path in (dataset.get('ann_file'), *prefix.values()):
        joined = os.path.join(root, path) if path else ''
        if joined and '://' not in joined:
            yield joined
