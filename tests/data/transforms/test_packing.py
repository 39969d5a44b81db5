"""Packed samples are those of mmdet and mmseg."""

from __future__ import annotations

from typing import Any

import mmdet.datasets.transforms as mmdet_transforms
import mmseg.datasets.transforms as mmseg_transforms
import numpy as np
import pytest
from mmengine.dataset import Compose

from effnet_dense.data.transforms import packing

VIEWS = {
    'whole': np.s_[:, :],
    'crop': np.s_[3:20, 5:40],
    'mirrored': np.s_[:, ::-1],
    'upside down': np.s_[::-1, 2:],
    'turned': np.s_[::-1, ::-1],
    'every second': np.s_[::2, ::3],
    'empty': np.s_[:0],
}


@pytest.mark.parametrize('kind', ['uint8', 'float32', 'float64'])
@pytest.mark.parametrize('channels', [1, 3, 5])
@pytest.mark.parametrize('view', VIEWS)
def test_planes(view: str, channels: int, kind: str) -> None:
    image = np.random.default_rng(0).integers(0, 255, (37, 53, channels)).astype(kind)[VIEWS[view]]
    made = packing.planar(image)
    assert made.dtype == image.dtype
    assert np.array_equal(made, image)
    if image.size and channels > 1 and kind != 'float64':
        assert made.transpose(2, 0, 1).flags.c_contiguous


def test_other_images_stay() -> None:
    grey = np.zeros((3, 4), np.uint8)
    assert packing.planar(grey) is grey


@pytest.mark.parametrize('library', [mmdet_transforms, mmseg_transforms])
def test_packed_as_before(library: Any) -> None:
    kind = 'PackDetInputs' if library is mmdet_transforms else 'PackSegInputs'
    image = np.random.default_rng(0).integers(0, 255, (9, 8, 3), np.uint8)[:, ::-1]
    sample = dict(img=image, ori_shape=(9, 8), gt_seg_map=np.zeros((9, 8), np.uint8))
    expected = getattr(library, kind)(meta_keys=('ori_shape',))(dict(sample))
    step = getattr(library, kind)(meta_keys=('ori_shape',))
    packing.pack_faster(_Mixed([step]))
    assert type(step) is getattr(packing, kind)
    packed = step(sample)
    assert sample['img'] is image
    assert packed['inputs'].is_contiguous()
    assert packed['inputs'].equal(expected['inputs'])
    assert packed['data_samples'].metainfo == expected['data_samples'].metainfo


class _Mixed:
    """A dataset in wrappers, with two pipelines."""

    def __init__(self, steps: list[Any]) -> None:
        self.datasets = [_Inner(Compose([])), _Inner(Compose(steps))]
        self.pipeline: list[Any] = []


class _Inner:
    def __init__(self, pipeline: Compose) -> None:
        self.pipeline = pipeline


def test_others_keep_their_class() -> None:
    class Own(mmdet_transforms.PackDetInputs):
        pass

    step = Own()
    packing.pack_faster([step])
    assert type(step) is Own
