"""A drawer: the config's visualizer, of three channels or more."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData

from effnet_dense.engine.config import load_config
from effnet_dense.inference.drawer import Drawer

META = {'classes': ('a',), 'palette': [(255, 0, 0)]}


def sample() -> DetDataSample:
    """One box of score 0.5."""
    boxes = DetDataSample()
    boxes.pred_instances = InstanceData(
        bboxes=torch.tensor([[8.0, 8, 40, 40]]),
        scores=torch.tensor([0.5]),
        labels=torch.tensor([0]),
    )
    return boxes


def test_boxes_above_the_threshold_are_drawn_in_their_colour() -> None:
    drawer = Drawer(Config(dict(default_scope='mmdet')), META)
    black = np.zeros((64, 64, 3), np.uint8)
    drawn = drawer(black, sample(), 0.4)
    assert drawn[8, 30].tolist() == [0, 0, 255], 'red, in BGR'
    assert not drawer(black, sample(), 0.6).any()
    assert not black.any(), 'the image is left as it is'


def test_more_bands_than_three_can_be_drawn() -> None:
    drawer = Drawer(Config(dict(default_scope='mmdet')), META)
    assert drawer(np.zeros((64, 64, 5), np.uint8), sample(), 0.4).shape == (64, 64, 3)


def test_label_maps_are_as_opaque_as_with_a_shipped_config() -> None:
    drawer = Drawer(Config(dict(default_scope='mmseg')), META)
    assert drawer.visualizer.alpha == load_config('effnet_lite0_fpn_camvid').visualizer.alpha


def test_a_visualizer_that_cannot_be_built() -> None:
    drawer = Drawer(Config(dict(visualizer=dict(type='DetLocalVisualizer', alpha=7))), META)
    with pytest.raises(ValueError, match=r'visualizer\.alpha'):
        _ = drawer.visualizer
