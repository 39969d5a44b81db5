"""What is chosen of all priors in NumPy is what the traced modules choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from effnet_dense.exporting.decoding import Decoder, decode
from effnet_dense.models.dense_losses import flatten_levels
from effnet_dense.runtimes.candidates import candidates, detections
from effnet_dense.runtimes.suppression import suppress
from tests.helpers.exported_files import METADATA
from tests.helpers.head_outputs import HEADS, SHAPES, SIDES, head_and_levels

NMS = dict(type='nms', iou_threshold=0.5)


@pytest.mark.parametrize('name', HEADS)
def test_candidates(name: str) -> None:
    head, outputs = head_and_levels(name, **HEADS[name])
    widths = (head.cls_out_channels, 4, 1)
    logits, deltas, *centerness = (
        flatten_levels(levels, width) for levels, width in zip(outputs, widths, strict=False)
    )
    decoder, sizes = Decoder(head, SIDES), torch.tensor(SHAPES).float()
    with torch.no_grad():
        wanted = [value.numpy() for value in decoder(logits, deltas, sizes, *centerness)]
        boxes = decode(decoder.coder, decoder.priors.all(), deltas)
    numbers = dict(head.test_cfg, nms=NMS, max_per_img=30)
    metadata = replace(METADATA, nms=numbers, levels=decoder.levels)
    dense = [value.numpy() for value in (boxes, logits, *centerness)]
    for image, size in enumerate(sizes.numpy()):
        used = wanted[1][image] > 0
        parts = [value[image] for value in dense]
        found = candidates(*parts, size=size, metadata=metadata)
        assert 10 < used.sum() == len(found[0])
        for value, reference in zip(found, wanted, strict=True):
            np.testing.assert_allclose(value, reference[image][used], rtol=1e-5, atol=1e-4)
    names = ('boxes', 'logits', 'centerness')
    both = detections(dict(zip(names, dense, strict=False)), sizes.numpy(), metadata)
    assert both['boxes'].shape == (2, 30, 4) and both['labels'].max() > 0
    for image in range(2):
        one = suppress(*(value[image] for value in wanted), NMS, 30)
        for value, reference in zip(both.values(), one, strict=True):
            np.testing.assert_allclose(value[image], reference, rtol=1e-5, atol=1e-4)


def test_without_a_threshold_or_a_limit() -> None:
    logits = np.array([[-9.0, 2.0], [1.0, -1.0]], np.float32)
    boxes = np.array([[-5, 1, 9, 3], [2, 2, 2, 4]], np.float32)
    metadata = replace(METADATA, nms=dict(score_thr=0.0), levels=[2])
    size = np.array([4, 8], np.float32)
    found = candidates(boxes, logits, size=size, metadata=metadata)
    np.testing.assert_array_equal(found[2], [1, 0, 1, 0])
    np.testing.assert_array_equal(found[0][0], [0, 1, 8, 3])
    np.testing.assert_allclose(found[1][:2], [1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(-1.0))])
    small = replace(metadata, nms=dict(score_thr=0.0, min_bbox_size=0, nms_pre=3))
    found = candidates(boxes, logits, size=size, metadata=small)
    assert found[2].tolist() == [1]  # of three, two have a box without width
