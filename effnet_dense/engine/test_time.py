"""Test on flipped and resized images, and merge what is predicted on them (`--tta`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import is_segmentation, loop_datasets, type_name

MERGES = ('nms', 'wbf')
SCALES = (1.0, 0.83, 1.2)
"""Of the test pipeline's size; the first one is drawn."""
FLIPS = (0.0, 1.0)  # probabilities: as it is, and mirrored
STRIDE = 32


def use_tta(config: Config, merge: str | None = None) -> None:
    """Test with the config's `tta_pipeline`, whose outputs its `tta_model` merges.

    A detector without them is tested on both flips of its image at three sizes.

    Args:
        config: Its `tta_model` and test pipeline are set.
        merge: How boxes are merged: 'nms' (mmdet's DetTTAModel), 'wbf' (weighted boxes fusion) or
            None: as the config says, else by NMS.

    Raises:
        ValueError: `merge` is unknown or does not fit the model, or there is no test pipeline
            whose image size is known.
    """
    if merge not in (None, *MERGES):
        raise ValueError(f'tta must be one of {", ".join(MERGES)}, got {merge!r}')
    detects = not is_segmentation(config)
    if merge and not detects:
        raise ValueError(f'tta={merge} merges boxes, this config is for a segmentor: use tta alone')
    if detects and has_masks(config.model):
        raise ValueError('tta merges boxes only; this model predicts masks or panoptic maps')
    if not detects and not (config.get('tta_model') and config.get('tta_pipeline')):
        raise ValueError(
            "tta needs tta_model=dict(type='SegTTAModel') and a tta_pipeline with TestTimeAug in "
            "a segmentor's config"
        )
    own = config.get('tta_pipeline')
    if own and not _has_views(own):
        raise ValueError(
            f'tta_pipeline needs a step TestTimeAug, got {", ".join(map(_named, own))}'
        )
    for dataset in loop_datasets(config, 'test'):
        dataset.pipeline = own or views_of(dataset.get('pipeline') or [])
    if merge or not config.get('tta_model'):
        config.tta_model = merging_model(config.model.get('test_cfg') or {}, merge or 'nms')


def check_one_view(config: Config) -> None:
    """Check that a test without `--tta` gives its model one view of each image.

    Raises:
        ValueError: A test pipeline has TestTimeAug, and the model merges nothing.
    """
    if type_name(config.model).endswith('TTAModel'):
        return
    for dataset in loop_datasets(config, 'test'):
        if _has_views(dataset.get('pipeline') or []):
            raise ValueError(
                'the test pipeline has TestTimeAug, whose views the model does not merge: name '
                'this pipeline tta_pipeline, and test with --tta'
            )


def has_masks(model: Mapping[str, Any]) -> bool:
    """Whether a detector predicts more than boxes."""
    heads = (model.get('mask_head'), (model.get('roi_head') or {}).get('mask_head'))
    bbox_head = str((model.get('bbox_head') or {}).get('type', ''))
    return any(heads) or 'Ins' in bbox_head or 'panoptic_head' in model


def merging_model(test_cfg: Mapping[str, Any], merge: str) -> dict[str, Any]:
    """Return the `tta_model` that merges boxes as a detector's own suppression would.

    Args:
        test_cfg: The detector's; NMS and the number of boxes are taken from it.
        merge: 'nms' or 'wbf'.
    """
    settings = test_cfg.get('rcnn') or test_cfg
    kept = dict(max_per_img=settings.get('max_per_img', 100))
    if merge == 'wbf':
        return dict(type='effnet_dense.WBFTTAModel', tta_cfg=kept)
    nms = settings.get('nms') or dict(type='nms', iou_threshold=0.5)
    return dict(type='DetTTAModel', tta_cfg=dict(nms=nms, **kept))


def views_of(pipeline: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a test pipeline that gives both flips of each image at `SCALES`.

    Raises:
        ValueError: The pipeline has no `Resize` with a scale, or several, or does not end with
            `PackDetInputs`.
    """
    steps = [dict(step) for step in pipeline]
    names = [type_name(step) for step in steps]
    sized = [i for i, step in enumerate(steps) if names[i] == 'Resize' and step.get('scale')]
    if len(sized) != 1 or names[-1] != 'PackDetInputs':
        raise ValueError(
            'tta without a tta_pipeline needs a test pipeline with one Resize(scale=...) and '
            f'PackDetInputs at its end, got {", ".join(map(_named, steps)) or "no step"}: add '
            'tta_pipeline and tta_model to the config'
        )
    at = sized[0]
    pack = dict(steps[-1])
    flips = ('flip', 'flip_direction')
    if 'meta_keys' in pack:
        pack['meta_keys'] = (*pack['meta_keys'], *flips)
    return [
        *steps[:at],
        dict(
            type='TestTimeAug',
            transforms=[
                [{**steps[at], 'scale': scaled(steps[at]['scale'], by)} for by in SCALES],
                [dict(type='RandomFlip', prob=prob) for prob in FLIPS],
                *([_any_size(step)] for step in steps[at + 1 : -1]),
                [pack],
            ],
        ),
    ]


def scaled(size: Any, factor: float) -> Any:
    """Scale an image size in pixels; an unlimited side stays so.

    Raises:
        ValueError: It is no number, nor several.
    """
    if isinstance(size, str) or not isinstance(size, int | float | Sequence):
        raise ValueError(f'tta expected numbers as scale of Resize, got {size!r}')
    if isinstance(size, int | float):
        return round(size * factor) if math.isfinite(size) else size
    return tuple(scaled(side, factor) for side in size)


def _any_size(step: dict[str, Any]) -> dict[str, Any]:
    """Pad to the stride in place of the test size, which larger views exceed."""
    if type_name(step) != 'Pad' or not step.get('size'):
        return step
    return {**step, 'size': None, 'size_divisor': STRIDE}


def _has_views(steps: Sequence[Mapping[str, Any]]) -> bool:
    return any(type_name(step) == 'TestTimeAug' for step in steps)


def _named(step: Mapping[str, Any]) -> str:
    """Name a step, a `Resize` with the arguments of its size."""
    name = type_name(step) or 'a step without type'
    sizes = [key for key in ('scale', 'img_scale', 'scale_factor') if step.get(key)]
    return f'{name}({", ".join(f"{key}={step[key]}" for key in sizes)})' if sizes else name
