"""Layers stay in float32 until the accuracy holds; else the export fails with the figures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import onnx.parser
import pytest

from effnet_dense.exporting.accuracy import Accuracy
from effnet_dense.exporting.int8 import quantise
from effnet_dense.exporting.onnx_file import Parts
from tests.helpers.exported_files import GRAPH

PARTS = Parts(onnx.parser.parse_model(GRAPH))
LAYERS = [f'layer{number}' for number in range(32)]


class Fake:
    """A network whose model is the set of the layers that are kept."""

    asked = 0

    def layers(self) -> list[str]:
        self.asked += 1
        return LAYERS

    def quantised(self, kept: Collection[str]) -> Any:
        return list(kept)

    def joined(self, network: Any, tail: Any) -> Any:
        return network


def accuracy(fp32: float, lost: float) -> Any:
    """Return a measure: int8 loses `lost`, less the more layers are kept."""

    def measure(model: Any) -> Accuracy:
        value = fp32 - lost / (1 + len(model)) if isinstance(model, list) else fp32
        return Accuracy('coco/bbox_mAP', value, 34)

    return measure


def test_all_layers() -> None:
    fake = Fake()
    found = quantise(PARTS, fake, accuracy(0.5, 0.004))
    assert list(found.kept) == found.model == [] and fake.asked == 0
    assert found.as_dict() == dict(
        metric='coco/bbox_mAP', fp32=0.5, int8=0.496, images=34, float_layers=[]
    )


@pytest.mark.parametrize(('lost', 'kept'), [(0.01, 2), (0.02, 4), (0.04, 8), (0.08, 16)])
def test_sensitive_layers_stay(lost: float, kept: int) -> None:
    fake = Fake()
    found = quantise(PARTS, fake, accuracy(0.5, lost))
    assert found.kept == found.model == LAYERS[:kept] and fake.asked == 1
    assert found.int8.value >= 0.99 * 0.5


def test_failure_has_the_figures() -> None:
    with pytest.raises(ValueError, match=r'more than 1\.0% of the accuracy: coco/') as found:
        quantise(PARTS, Fake(), accuracy(0.5, 0.2))
    message = str(found.value)
    assert 'is 0.5000 in float32, 0.3000 in int8; 0.4333 in int8, 2 layers in float32' in message
    assert '0.4882 in int8, 16 layers in float32' in message and '\n' not in message
    assert quantise(PARTS, Fake(), accuracy(0.5, 0.2), max_drop=0.4).int8.value == 0.3


def test_an_untrained_model() -> None:
    with pytest.raises(ValueError, match=r'bbox_mAP is 0\.0000 in float32 on 34 images: int8'):
        quantise(PARTS, Fake(), accuracy(0.0, 0.0))
