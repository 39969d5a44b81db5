"""`--harden` adds its transforms to every pipeline of the training, once."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.config import Config

from effnet_dense.engine.config import load_config
from effnet_dense.engine.settings.harden import set_harden
from effnet_dense.settings import Settings

ADDED = ['AugMix', 'Albumentations']


def names(steps: list[Any]) -> list[str]:
    return [step['type'].rpartition('.')[2] for step in steps]


@pytest.mark.parametrize('name', ['effnet_lite0_retinanet_finetune', 'effnet_lite0_fpn_camvid'])
def test_images_are_degraded_last(name: str) -> None:
    plain = load_config(name)
    config = load_config(name, settings=Settings(harden=True))
    before, after = (names(c.train_dataloader.dataset.pipeline) for c in (plain, config))
    assert after == [*before[:-1], *ADDED, before[-1]]
    assert names(config.test_dataloader.dataset.pipeline) == names(
        plain.test_dataloader.dataset.pipeline
    )
    set_harden(config, True)  # as when the run is resumed
    assert names(config.train_dataloader.dataset.pipeline) == after


def test_pipelines_of_wrappers_and_hooks() -> None:
    """Mosaics are degraded once, after they are joined; so are the images after mosaics end."""
    steps = [dict(type='LoadImageFromFile'), dict(type='PackDetInputs')]
    inner = dict(type='CocoDataset', pipeline=[dict(type='LoadImageFromFile')])
    wrapper = dict(type='MultiImageMixDataset', dataset=inner, pipeline=steps)
    hook = dict(type='PipelineSwitchHook', switch_pipeline=[*steps])
    config = Config(dict(train_dataloader=dict(dataset=wrapper), custom_hooks=[hook]))
    set_harden(config, True)
    expected = ['LoadImageFromFile', *ADDED, 'PackDetInputs']
    assert names(config.train_dataloader.dataset.pipeline) == expected
    assert names(config.custom_hooks[0].switch_pipeline) == expected
    assert names(config.train_dataloader.dataset.dataset.pipeline) == ['LoadImageFromFile']


def test_grey_images_are_refused() -> None:
    steps = [dict(type='PackDetInputs')]
    model = dict(backbone=dict(in_channels=1))
    config = Config(dict(model=model, train_dataloader=dict(dataset=dict(pipeline=steps))))
    with pytest.raises(ValueError, match=r'--harden: model\.backbone\.in_channels is 1, and'):
        set_harden(config, True)


def test_without_packing_it_is_refused() -> None:
    config = Config(dict(train_dataloader=dict(dataset=dict(pipeline=[dict(type='Resize')]))))
    with pytest.raises(ValueError, match=r'--harden: no pipeline .* add effnet_dense\.AugMix'):
        set_harden(config, True)
    set_harden(config, False)
    assert names(config.train_dataloader.dataset.pipeline) == ['Resize']
