"""`--data DIR`: the user's folder in place of a config's own data set.

Called before `--cfg-options` are merged, so that the user's own values win.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from effnet_dense.data.coco.clean import SkipBad
from effnet_dense.data.coco.config import use_coco
from effnet_dense.data.coco.source import SPLITS, CocoSource
from effnet_dense.data.config_nodes import SPLIT_OF, leaf_datasets
from effnet_dense.data.demo.dataset import make_demo
from effnet_dense.data.label_maps.config import use_label_maps
from effnet_dense.data.label_maps.source import LabelSource


def use_data(
    cfg: Config,
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    demo_folder: str | Path = 'data/demo',
    skip: SkipBad | None = None,
) -> CocoSource | LabelSource:
    """Point a config at a data set: files, class names, heads and evaluators.

    Args:
        cfg: changed in place. One of mmdet's takes annotations in COCO's format (see `sources`),
            one of mmseg's label maps (see `label_file`).
        folder: the data set's root; 'demo' for the embedded one, which has both, and which is
            made in `demo_folder` if it is not there yet.
        splits: ('train', 'val') to train, ('val',) to test.
        skip: of annotations in COCO's format, leave out what is broken.

    Raises:
        FileNotFoundError: the folder, a part of the data set or pictures are missing.
        ValueError: data that cannot be used, or a config that needs data of another kind.
    """
    root = make_demo(demo_folder) if str(folder) == 'demo' else Path(folder)
    if is_segmentation(cfg):
        return use_label_maps(cfg, root, splits)
    return use_coco(cfg, root, splits, skip)


def is_segmentation(cfg: Config) -> bool:
    """Is this a config of mmseg's, by its scope or by its data sets?"""
    if cfg.get('default_scope') == 'mmseg':
        return True
    loaders = [cfg.get(f'{loop}_dataloader') for loop in SPLIT_OF]
    return any(
        _is_of_mmseg(dataset.get('type'))
        for loader in loaders
        if loader
        for dataset in leaf_datasets(loader['dataset'])
    )


def _is_of_mmseg(kind: Any) -> bool:
    module = kind if isinstance(kind, str) else getattr(kind, '__module__', '')
    return module.startswith('mmseg.') or module == 'effnet_dense.LabelMapDataset'
