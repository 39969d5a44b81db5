"""Count the images that a config trains on, without loading them."""

from __future__ import annotations

import copy
import logging
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope


def count_training_images(config: Config) -> int | None:
    """Return the number of images of an epoch, after the dataset's filters.

    The annotations are read, as training will.

    Returns:
        None if the files are missing or cannot be read, which the check of the data will report.
    """
    loader = config.get('train_dataloader') or {}
    dataset = copy.deepcopy(loader.get('dataset'))
    if not isinstance(dataset, dict):
        return None if dataset is None else len(dataset)
    init_default_scope(config.get('default_scope') or 'mmengine')
    _without_pipelines(dataset)
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        return len(DATASETS.build(dataset))
    except Exception:  # any that a dataset's own code raises for missing files
        return None
    finally:
        logging.disable(before)


def _without_pipelines(node: Any) -> None:
    """Keep the transforms of a dataset, and of those inside of it, from being built."""
    if isinstance(node, dict):
        if 'pipeline' in node:
            node['pipeline'] = []
        for child in node.values():
            _without_pipelines(child)
    elif isinstance(node, list | tuple):
        for child in node:
            _without_pipelines(child)
