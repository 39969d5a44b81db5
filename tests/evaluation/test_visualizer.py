"""Panoptic maps, with and without segments, as pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import CocoPanopticDataset
from mmdet.structures import DetDataSample
from mmengine.registry import VISUALIZERS
from mmengine.structures import PixelData

VOID = len(CocoPanopticDataset.METAINFO['classes'])


@pytest.mark.parametrize('person', [False, True])
def test_maps_with_and_without_segments(person: bool, tmp_path: Path) -> None:
    visualizer = VISUALIZERS.build(
        dict(type='effnet_dense.PanopticVisualizer', name=f'person_{person}')
    )
    visualizer.dataset_meta = CocoPanopticDataset.METAINFO
    panoptic = torch.full((1, 64, 64), VOID, dtype=torch.int32)
    if person:
        panoptic[:, 16:48, 16:48] = 1000
    sample = DetDataSample(pred_panoptic_seg=PixelData(sem_seg=panoptic))
    image, path = np.full((64, 64, 3), 90, np.uint8), tmp_path / 'drawn.png'
    visualizer.add_datasample('', image, sample, draw_gt=False, out_file=str(path))
    drawn = cv2.imread(str(path))
    assert (drawn[:8] == 90).all()
    assert (drawn[20:44, 20:44] != 90).any() == person
