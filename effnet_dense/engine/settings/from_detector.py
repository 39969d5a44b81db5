"""`--from`: start from a complete detector or segmentor, also of other classes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.engine.run_folder import checkpoint_of
from effnet_dense.engine.settings.fine_tuning import set_fine_tuning
from effnet_dense.engine.settings.model_parts import (
    backbone_owner,
    is_efficientnet,
    preprocessors,
)
from effnet_dense.engine.settings.published_detector import STATISTICS, fit_to_detector
from effnet_dense.utils.saved_config import saved_config
from effnet_dense.utils.urls import public_name
from effnet_dense.weights import fetch
from effnet_dense.weights.safe import safe_load
from effnet_dense.weights.sources import source_info


def set_from_detector(config: Config, source: str) -> None:
    """Start from the weights of a complete model, with its normalisation of the images.

    Layers of classes keep the rows of classes of the same name (see `load_by_class`). Detectors of
    `COCO_DETECTORS` also bring padding and anchors, and are trained at lower rates.

    Args:
        config: Changed in place.
        source: A file, a URL, a named source, or the work folder of a run.

    Raises:
        FileNotFoundError: No such file, or a folder without a checkpoint.
        ValueError: The weights are those of another backbone or head.
        ImportError, ConnectionError: See `fetch`.
    """
    folder = os.path.expanduser(source)
    if '://' not in source and not os.path.exists(folder):
        raise FileNotFoundError(
            f'--from: no file or work folder {source!r}; expected one, or a URL with a hash'
        )
    path = str(checkpoint_of(folder)) if os.path.isdir(folder) else source
    owner = backbone_owner(config, '--from')
    detector = fit_to_detector(config, path)
    if detector is not None:
        set_fine_tuning(config, detector)
    checkpoint = safe_load(fetch(path))
    statistics = _statistics(path, owner, checkpoint)
    for preprocessor in preprocessors(config):
        changed = {
            key: value for key, value in statistics.items() if preprocessor.get(key) != value
        }
        preprocessor.update(changed)
    config.load_from = path
    config.load_from_rows = True
    if is_efficientnet(owner.backbone):
        owner.backbone.init_cfg = None  # all of its weights are replaced, or loading is an error
    print_log(f'--from: starts from {public_name(path)}')


def check_one_start(weights: str | None, from_detector: str | None) -> None:
    """Check that a run does not start from two sources.

    Raises:
        ValueError: It does.
    """
    if weights is not None and from_detector is not None:
        raise ValueError(
            f'--weights {weights} and --from {from_detector} name two starts: --from replaces the '
            'weights of the backbone, too; write one of them'
        )


def _statistics(name: str, owner: Any, checkpoint: Any) -> dict[str, Any]:
    """Return how a model's images are normalised; {} if neither name nor file say it.

    Raises:
        ValueError: The file was trained with another backbone.
    """
    info = source_info(name)
    if info is not None:
        return dict(mean=list(info.mean), std=list(info.std), bgr_to_rgb=True)
    model: Any = (saved_config(checkpoint) or {}).get('model') or {}
    trained = (model.get('backbone') or {}).get('arch')
    arch = owner.backbone.get('arch', 'b0') if is_efficientnet(owner.backbone) else None
    if trained is not None and arch is not None and trained != arch:
        raise ValueError(
            f'--from {public_name(name)} has the backbone {trained}, this config {arch}: add '
            f'--backbone {trained}, or choose a detector with {arch}'
        )
    saved = model.get('data_preprocessor')
    if not isinstance(saved, Mapping):
        return {}
    return {key: saved[key] for key in STATISTICS if saved.get(key) is not None}
