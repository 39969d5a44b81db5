"""`reduced_decoding` changes the training's pipelines, or says why it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from mmdet.engine.hooks import PipelineSwitchHook
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from effnet_dense.data.reduced_loading import LoadEncoded
from effnet_dense.engine.reduced_decoding import use_reduced_decoding
from effnet_dense.engine.settings import set_after_data
from effnet_dense.settings import Settings


def pipeline(*more: dict[str, Any]) -> Compose:
    steps = [dict(type='effnet_dense.LoadImageFromFile'), *more]
    with DefaultScope.overwrite_default_scope('mmdet'):
        return Compose(steps)


def test_the_setting() -> None:
    config = Config({})
    set_after_data(config, Settings(reduced_decoding=True))
    assert config.reduced_decoding is True


def test_a_pipeline_is_changed() -> None:
    made = pipeline(dict(type='Resize', scale=(9, 9)))
    use_reduced_decoding(made, [])
    assert isinstance(made.transforms[0], LoadEncoded)


def test_what_cannot_be_reduced_is_refused() -> None:
    with pytest.raises(ValueError, match='reduced_decoding: expected a training pipeline'):
        use_reduced_decoding(pipeline(), [])
    made = pipeline(dict(type='Resize', scale=(9, 9)))
    with pytest.raises(ValueError, match='PipelineSwitchHook builds another'):
        use_reduced_decoding(made, [PipelineSwitchHook(1, [])])
    assert not isinstance(made.transforms[0], LoadEncoded)
