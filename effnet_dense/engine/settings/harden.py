"""`--harden`: train on images that are degraded in part, against noise, blur and light."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.settings.notes import note, refusal

HARDENING: tuple[dict[str, Any], ...] = (
    dict(type='effnet_dense.AugMix', prob=0.5),
    dict(
        type='effnet_dense.Albumentations',
        transforms=[dict(type='GaussNoise', std_range=(0.02, 0.25), p=0.3)],
    ),
)
"""AugMix (arXiv:1912.02781), then Gaussian noise (Rusak et al. 2020, arXiv:2001.06057).

A third of the images stays clean: without them, the figure on clean images falls.
"""


def set_harden(config: Config, on: bool) -> None:
    """Let the training's pipelines degrade images, right before they are packed.

    Pipelines that already have `AugMix`, as those of a resumed run, stay as they are.

    Args:
        config: Changed in place.
        on: False leaves the config's own choice.

    Raises:
        ValueError: No pipeline of the training packs its samples, or its images do not have three
            channels.
    """
    if not on:
        return
    backbone = (config.get('model') or {}).get('backbone') or {}
    if (channels := backbone.get('in_channels', 3)) != 3:
        raise refusal(
            '--harden',
            f'model.backbone.in_channels is {channels}, and AugMix is for images of three channels',
            'leave it out',
        )
    hooks = config.get('custom_hooks') or []
    switched = [hook for hook in hooks if isinstance(hook, dict) and 'switch_pipeline' in hook]
    pipelines = [*_pipelines((config.get('train_dataloader') or {}).get('dataset'))]
    pipelines += [hook['switch_pipeline'] for hook in switched]
    changed = 0
    for steps in pipelines:
        names = [type_name(step) for step in steps]
        packing = next((at for at, name in enumerate(names) if name.startswith('Pack')), None)
        if packing is not None:
            changed += 1
            if type_name(HARDENING[0]) not in names:
                steps[packing:packing] = copy.deepcopy(list(HARDENING))
    if not changed:
        raise refusal(
            '--harden',
            'no pipeline of the training has a step Pack…Inputs',
            'add effnet_dense.AugMix to the pipeline yourself',
        )
    note('--harden: half of the training images pass AugMix, three in ten get Gaussian noise')


def _pipelines(node: Any) -> Iterator[list[Any]]:
    """Yield the pipelines of a dataset's config and of those inside of it."""
    if isinstance(node, dict):
        if isinstance(node.get('pipeline'), list):
            yield node['pipeline']
        for key in ('dataset', 'datasets'):
            yield from _pipelines(node.get(key))
    elif isinstance(node, list | tuple):
        for child in node:
            yield from _pipelines(child)
