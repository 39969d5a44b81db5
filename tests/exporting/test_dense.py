"""Models without choices give, with the choices in NumPy, what the traced modules give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, init_default_scope

from effnet_dense.exporting.decoding import Decoder
from effnet_dense.exporting.dense import dense
from effnet_dense.exporting.network import DetectionNetwork
from effnet_dense.runtimes.candidates import candidates
from tests.helpers.exported_files import METADATA
from tests.helpers.tiny_models import detector, segmentor

SIZE = (64, 96)


@pytest.fixture(scope='module')
def model() -> Any:
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return MODELS.build(detector().model).eval()


def test_a_detector(model: Any) -> None:
    images = torch.randn(2, 3, *SIZE)
    found = dense(model, 'detection', images, 'dense')
    sizes = torch.tensor([[64.0, 96.0], [50.0, 80.0]])
    with torch.no_grad():
        boxes, logits = found.module(images)
        raw = DetectionNetwork(model)(images)
        wanted = Decoder(model.bbox_head, SIZE)(*raw, sizes)
    assert found.outputs == ['boxes', 'logits']
    assert sum(found.details['levels']) == boxes.shape[1] == logits.shape[1]
    metadata = replace(METADATA, nms=dict(model.test_cfg), **found.details)
    for image in range(2):
        given = (value[image].numpy() for value in (boxes, logits))
        chosen = candidates(*given, size=sizes[image].numpy(), metadata=metadata)
        used = wanted[1][image] > 0
        assert used.sum() > 100
        for value, reference in zip(chosen, wanted, strict=True):
            np.testing.assert_allclose(value, reference[image][used], rtol=1e-4, atol=1e-3)


def test_raw_outputs(model: Any) -> None:
    images = torch.randn(1, 3, *SIZE)
    found = dense(model, 'detection', images, 'raw')
    assert found.outputs == ['logits', 'deltas']
    with torch.no_grad():
        torch.testing.assert_close(found.module(images), DetectionNetwork(model)(images))


def test_segmentors() -> None:
    init_default_scope('mmseg')
    built: Any = MODELS.build(segmentor().model).eval()
    images = torch.randn(1, 3, 64, 64)
    for post, name in (('labels', 'label_map'), ('raw', 'logits')):
        found = dense(built, 'semantic', images, post)
        assert (found.outputs, found.details) == ([name], {})
    built.test_cfg['mode'] = 'slide'
    with pytest.raises(ValueError, match="mode='whole', got EncoderDecoder with 'slide'"):
        dense(built, 'semantic', images, 'raw')
