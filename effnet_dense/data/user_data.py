"""`--data DIR`: use the user's folder in place of a config's own dataset.

Called before `--cfg-options` are merged, so that the user's own values take precedence.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmengine.config import Config

from effnet_dense.data.coco.config import use_coco
from effnet_dense.data.coco.folder import CocoSource, converted
from effnet_dense.data.config_walk import is_segmentation
from effnet_dense.data.demo.dataset import make_demo
from effnet_dense.data.drawn_labels import labels_of_objects
from effnet_dense.data.folders import SPLITS
from effnet_dense.data.formats.archive import extract
from effnet_dense.data.label_maps.config import use_label_maps
from effnet_dense.data.label_maps.folder import LabelSource
from effnet_dense.data.parts import Division
from effnet_dense.data.skipping import SkipBad


def use_data(
    cfg: Config,
    folder: str | Path,
    splits: Sequence[str] = SPLITS,
    demo_folder: str | Path = 'data/demo',
    skip: SkipBad | None = None,
    scratch: str | Path | None = None,
    division: Division | None = None,
) -> CocoSource | LabelSource:
    """Point a config at a dataset: files, class names, heads and evaluators.

    Args:
        cfg: Changed in place. Configs for mmdet take objects with boxes or masks (see
            `coco.folder`), those for mmseg label maps (see `label_maps.folder`).
        folder: The dataset's root, or a ZIP file; 'demo' for the generated one, which has both
            formats and is created in `demo_folder` if it does not exist yet.
        splits: ('train', 'val') for training, ('val',) for testing.
        skip: Drop faulty records of objects' annotations, or faulty label maps.
        scratch: Where repaired annotations, label maps that are drawn from objects, the content
            of ZIP files and data_report.json go. By default in data/converted, without a report.
        division: How a dataset with one part is divided.

    Raises:
        FileNotFoundError: The folder, a split or images are missing.
        ValueError: The data cannot be used, or the config needs data of another kind.
    """
    root = make_demo(demo_folder) if str(folder) == 'demo' else Path(folder)
    if is_segmentation(cfg):
        place = Path(scratch or converted(root)).absolute()
        given = Path(os.path.expanduser(root))
        root = extract(given, place) if given.is_file() else root
        chosen, draw = division or Division(), partial(labels_of_objects, folder=place)
        return use_label_maps(cfg, root, splits, draw, chosen.share, chosen.seed, skip)
    return use_coco(cfg, root, splits, skip, scratch, division)
