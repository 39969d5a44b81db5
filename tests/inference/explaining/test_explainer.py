"""Maps of networks that are known to look at a region, and of the tiny models."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from effnet_dense.commands.explain import LAYERS as CHOICES
from effnet_dense.commands.explain import METHODS as NAMES
from effnet_dense.inference import Predictor
from effnet_dense.inference.explaining.activation_maps import METHODS
from effnet_dense.inference.explaining.candidates import Candidates
from effnet_dense.inference.explaining.explainer import LAYERS, Explainer, check_explainable


@pytest.fixture
def image() -> Any:
    """An image that the detector's pipeline shrinks to 53 × 64 pixels."""
    return np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)


def test_the_commands_choices_are_ours() -> None:
    assert (*METHODS,) == NAMES and LAYERS == CHOICES


@pytest.mark.parametrize('method', METHODS)
def test_a_map_is_high_where_a_detector_looks(
    method: str, detecting: Predictor, image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All logits depend on rows 2, 3 and columns 5, 6 of the level of stride 8."""
    head = detecting.model.bbox_head
    forward = head.forward

    def looks(levels: Sequence[Tensor]) -> Any:
        logits, boxes = forward(levels)
        seen = levels[0][:, :, 2:4, 5:7].square().sum()
        return [each.detach() * 0 + seen for each in logits], boxes

    monkeypatch.setattr(head, 'forward', looks)
    _, found = Explainer(detecting, method, 'neck')(image, top=2, score_thr=0)
    assert len(found) == 2
    for each in found:
        assert each.heat.shape == (100, 120) and each.heat.max() == 1
        if method in ('hirescam', 'layercam'):  # the others weight channels, not pixels
            # half a cell further, by interpolation: 12 to 36 and 36 to 60 of 64 pixels
            scale = 120 / 64
            rows, columns = np.nonzero(each.heat > 0)
            assert rows.min() > 12 * scale - 2 and rows.max() < 36 * scale + 2
            assert columns.min() > 36 * scale - 2 and columns.max() < 60 * scale + 2


@pytest.mark.parametrize('layer', LAYERS)
def test_objects_are_named_and_ranked(layer: str, detecting: Predictor, image: Any) -> None:
    sample, found = Explainer(detecting, layer=layer)(image, top=3, score_thr=0)
    scores = sample.pred_instances.scores.sort(descending=True).values[:3]
    assert [each.score for each in found] == scores.tolist()
    for each in found:
        assert each.name == detecting.dataset_meta['classes'][each.label] and each.mask is None
        assert each.heat.min() >= 0 and each.heat.max() <= 1 and each.heat.dtype == np.float32
    sample.pred_instances.scores[:] = 0.5
    assert Explainer(detecting, layer=layer).explain(image, sample, score_thr=0.6) == []


def test_boxes_are_compared_in_the_networks_pixels(
    detecting: Predictor, image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    score, seen = Candidates.score, []

    def spy(found: Candidates, box: Tensor, label: int) -> Tensor:
        seen.append(box)
        return score(found, box, label)

    monkeypatch.setattr(Candidates, 'score', spy)
    _, found = Explainer(detecting)(image, top=2, score_thr=0)
    expected = [
        torch.from_numpy(each.box) * torch.tensor([64 / 120, 53 / 100] * 2) for each in found
    ]
    torch.testing.assert_close(seen, expected)


def test_classes_are_those_of_the_label_map(segmenting: Predictor, image: Any) -> None:
    sample, found = Explainer(segmenting, layer='neck')(image, top=9)
    labels = sample.pred_sem_seg.data[0].numpy()
    assert sorted(each.label for each in found) == np.unique(labels).tolist()
    for each in found:
        assert each.mask is not None and np.array_equal(each.mask, labels == each.label)
        assert each.score == pytest.approx(each.mask.mean())
        assert each.heat.shape == image.shape[:2] and each.heat.max() > 0


def test_what_cannot_be_explained_is_refused(detecting: Predictor, image: Any) -> None:
    with pytest.raises(ValueError, match='an exported file has no gradients'):
        check_explainable(SimpleNamespace(session=None))
    with pytest.raises(ValueError, match=r'one second stage, or one dense head .* got Linear'):
        check_explainable(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"expected method to be one of hirescam, .* got 'cam'"):
        Explainer(detecting, 'cam')
    with pytest.raises(ValueError, match="expected layer to be one of backbone, neck, got 'head'"):
        Explainer(detecting, layer='head')
    with pytest.raises(ValueError, match='expected top to be at least 1, got 0'):
        Explainer(detecting)(image, top=0)
