"""Data samples of every kind, drawn in the colours of their classes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.datasets import CocoPanopticDataset
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmdet.visualization import DetLocalVisualizer
from mmengine.registry import VISUALIZERS
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from effnet_dense.evaluation.visualizer import (
    DetectionVisualizer,
    SegmentationVisualizer,
    build_visualizer,
    own_visualizer,
)

VOID = len(CocoPanopticDataset.METAINFO['classes'])
META = {'classes': ('cat', 'dog'), 'palette': [(250, 0, 0), (0, 0, 250)]}
RED, BLUE = META['palette']


def image() -> np.ndarray:
    return np.full((60, 80, 3), 100, np.uint8)


def drawn(sample: Any, kind: str = 'DetLocalVisualizer', meta: Any = META, **more: Any) -> Any:
    visualizer = build_visualizer({'type': kind, **more}, meta)
    options = {'pred_score_thr': 0.3} if 'pred_instances' in sample else {}
    visualizer.add_datasample('', image(), sample, draw_gt=False, **options)
    return visualizer.get_image()


def instances(**more: Any) -> InstanceData:
    """A dog that is sure, and a cat that is not, at the same place."""
    boxes = torch.tensor([[10.0, 20, 50, 50], [10, 20, 50, 50]])
    return InstanceData(
        **{'bboxes': boxes, 'labels': torch.tensor([1, 0]), **more},
        scores=torch.tensor([0.9, 0.4]),
    )


def test_the_surest_box_is_on_top_in_its_classs_colour() -> None:
    found = drawn(DetDataSample(pred_instances=instances()), line_width=1)
    assert tuple(found[35, 10]) == tuple(found[50, 30]) == BLUE
    assert (found[25:45, 60:] == 100).all()


def test_scores_below_the_threshold_are_left_out() -> None:
    found = instances()
    found.scores = torch.tensor([0.2, 0.1])
    assert (drawn(DetDataSample(pred_instances=found)) == 100).all()


@pytest.mark.parametrize('kind', [lambda masks: masks, lambda m: BitmapMasks(m.numpy(), 60, 80)])
def test_masks_with_and_without_boxes(kind: Callable[[Any], Any]) -> None:
    masks = torch.zeros(2, 60, 80, dtype=torch.bool)
    masks[0, 20:40, 20:60], masks[1, 45:55, 5:15] = True, True
    for boxes in (instances().bboxes, torch.zeros(2, 4)):  # SOLO gives zeros
        found = instances(masks=kind(masks), bboxes=boxes)
        shown = DetDataSample(gt_instances=found)
        visualizer = build_visualizer({'type': 'DetLocalVisualizer', 'alpha': 0.5}, META)
        visualizer.add_datasample('', image(), shown, draw_pred=False)
        # 0.5 · 100 + 0.5 · (0, 0, 250), next to the caption
        assert tuple(visualizer.get_image()[37, 56]) == (50, 50, 175)


def test_mmdets_colours_are_options() -> None:
    sample = DetDataSample(pred_instances=instances())
    found = drawn(sample, bbox_color=(1, 2, 3), text_color=(9, 8, 7))
    assert tuple(found[35, 10]) == (1, 2, 3)
    assert (found == (9, 8, 7)).all(2).any()


@pytest.mark.parametrize('person', [False, True])
def test_panoptic_maps_with_and_without_segments(person: bool) -> None:
    panoptic = torch.full((1, 60, 80), VOID, dtype=torch.int32)
    if person:
        panoptic[:, 16:48, 16:48] = 1000
    sample = DetDataSample(pred_panoptic_seg=PixelData(sem_seg=panoptic))
    found = drawn(sample, 'effnet_dense.PanopticVisualizer', CocoPanopticDataset.METAINFO)
    assert (found[:8] == 100).all()
    assert (found[20:44, 20:44] != 100).any() == person


def test_label_maps_of_mmseg_and_mmdet() -> None:
    labels = torch.full((1, 60, 80), 255)
    labels[:, :, 40:] = 1
    semantic = SegDataSample(pred_sem_seg=PixelData(data=labels))
    mixed = (60, 60, 160)  # 0.6 · 100 + 0.4 · (0, 0, 250)
    for sample, kind in (
        (semantic, 'SegLocalVisualizer'),
        (DetDataSample(pred_sem_seg=PixelData(sem_seg=labels)), 'DetLocalVisualizer'),
    ):
        found = drawn(sample, kind, alpha=0.4)
        np.testing.assert_allclose(found[5, 75], mixed, atol=1)
        assert (found[:, :30] == 100).all()
        assert (found == BLUE).all(2).any(), 'the plate of its name'


def test_names_are_optional_in_label_maps() -> None:
    visualizer = build_visualizer({'type': 'SegLocalVisualizer', 'alpha': 0.4}, META)
    sample = SegDataSample(pred_sem_seg=PixelData(data=torch.ones(1, 60, 80, dtype=torch.int64)))
    visualizer.add_datasample('', image(), sample, with_labels=False)
    assert len(np.unique(visualizer.get_image().reshape(-1, 3), axis=0)) == 1


def test_only_the_standard_visualizers_are_replaced() -> None:
    for kind in ('DetLocalVisualizer', 'mmdet.DetLocalVisualizer', DetLocalVisualizer):
        assert own_visualizer({'type': kind})['type'] is DetectionVisualizer
    for kind in ('SegLocalVisualizer', 'mmseg.SegLocalVisualizer', SegLocalVisualizer):
        found = own_visualizer({'type': kind, 'alpha': 0.6})
        assert found == {'type': SegmentationVisualizer, 'alpha': 0.6}
    other = {'type': 'mmdet.TrackLocalVisualizer', 'alpha': 0.1}
    assert own_visualizer(other) == other
    for name in ('PanopticVisualizer', 'DetectionVisualizer'):
        with VISUALIZERS.switch_scope_and_registry('effnet_dense') as registry:
            assert registry.get(name) is DetectionVisualizer


def test_visualizers_write_nowhere_and_are_separate() -> None:
    one, other = (build_visualizer({'type': 'DetLocalVisualizer'}, META) for _ in range(2))
    assert one is not other
    assert not one._vis_backends


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'line_width': 'x'}, "visualizer.line_width must be a number, at least 0, got 'x'"),
        ({'line_width': -1}, 'visualizer.line_width must be a number, at least 0, got -1'),
        ({'alpha': 3}, 'visualizer.alpha must be a number, from 0 to 1, got 3'),
        ({'alpha': float('nan')}, 'from 0 to 1, got nan'),
        ({'line_widht': 3}, 'visualizer cannot be built from the config'),
    ],
)
def test_impossible_numbers(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        build_visualizer({'type': 'DetLocalVisualizer', **changes}, None)


@pytest.mark.parametrize(('options', 'width'), [({}, 5), ({'line_width': 1}, 1)])
def test_lines_grow_with_the_image_unless_chosen(options: dict[str, Any], width: int) -> None:
    found = InstanceData(
        bboxes=torch.tensor([[400.0, 400, 1200, 1200]]),
        labels=torch.zeros(1, dtype=torch.int64),
        scores=torch.ones(1),
    )
    visualizer: Any = build_visualizer(
        {'type': 'DetLocalVisualizer', 'bbox_color': (0, 255, 0), **options}, {'classes': ('a',)}
    )
    image = np.zeros((1600, 1600, 3), np.uint8)
    visualizer.add_datasample('', image, DetDataSample(pred_instances=found), draw_gt=False)
    assert (visualizer.get_image()[800, :800, 1] > 0).sum() == width
