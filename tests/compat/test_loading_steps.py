"""OpenMMLab's searches for the steps that load, in pipelines with this package's loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmdet.apis import DetInferencer
from mmdet.datasets import get_loading_pipeline
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmseg.apis import MMSegInferencer

LOAD = dict(type='effnet_dense.LoadImageFromFile', image_range=4095)
TWELVE_BITS = (np.arange(24 * 32).reshape(24, 32) * 5 % 4096).astype(np.uint16)


def config(*steps: dict[str, Any]) -> ConfigDict:
    return ConfigDict(test_dataloader=dict(dataset=dict(pipeline=[dict(LOAD), *steps])))


@pytest.mark.parametrize(
    ('inferencer', 'scope', 'steps'),
    [
        (DetInferencer, 'mmdet', [dict(type='PackDetInputs', meta_keys=('img_id', 'ori_shape'))]),
        (
            MMSegInferencer,
            'mmseg',
            [dict(type='effnet_dense.LoadLabelMap'), dict(type='PackSegInputs')],
        ),
    ],
)
def test_files_and_arrays_are_loaded_by_the_step(
    inferencer: Any, scope: str, steps: list[dict[str, Any]], tmp_path: Path
) -> None:
    """mmcv's loader divides by 256, and mmdet's takes arrays as they are."""
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), TWELVE_BITS)
    expected = np.round(TWELVE_BITS / 4095 * 255)
    with DefaultScope.overwrite_default_scope(scope):
        pipeline = inferencer._init_pipeline(object.__new__(inferencer), config(*steps))
        for given in (str(path), TWELVE_BITS, dict(img=TWELVE_BITS)):
            image = pipeline(given)['inputs'].numpy()
            assert image.shape == (3, 24, 32)
            assert np.abs(image - expected).max() <= 1


def test_a_pipeline_without_a_loader_is_refused() -> None:
    missing = ConfigDict(test_dataloader=dict(dataset=dict(pipeline=[dict(type='Resize')])))
    with pytest.raises(ValueError, match='LoadImageFromFile is not found'):
        DetInferencer._init_pipeline(object.__new__(DetInferencer), missing)


@pytest.mark.parametrize('load', [LOAD, dict(type='LoadImageFromFile')], ids=['ours', "mmcv's"])
def test_analysis_tools_keep_the_loading_steps(load: dict[str, Any]) -> None:
    steps = [load, dict(type='LoadAnnotations', with_bbox=True), dict(type='PackDetInputs')]
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert get_loading_pipeline(steps) == steps[:2]
