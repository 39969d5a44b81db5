"""Decoding for every size finds what decoding for one size finds; priors are those of the head."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from effnet_dense.exporting.any_size_decoding import AnySizeDecoder, priors_model
from effnet_dense.exporting.decoding import Decoder
from effnet_dense.models.dense_losses import flatten_levels
from tests.helpers.head_outputs import HEADS, SHAPES, SIDES, head_and_levels


@pytest.mark.parametrize('before', [40, 2000])  # the coarsest level has fewer than 2000
@pytest.mark.parametrize('name', HEADS)
def test_candidates(name: str, before: int) -> None:
    head, outputs = head_and_levels(name, **HEADS[name], **{'model.test_cfg.nms_pre': before})
    widths = (head.cls_out_channels, 4, 1)
    raw = [flatten_levels(x, width) for x, width in zip(outputs, widths, strict=False)]
    sizes = torch.tensor(SHAPES).float()
    expected = Decoder(head, SIDES)(*raw[:2], sizes, *raw[2:])
    strides = [stride for stride, _ in head.prior_generator.strides]
    shapes = [(SIDES[0] // stride, SIDES[1] // stride) for stride in strides]
    grids = head.prior_generator.grid_priors(shapes, device='cpu')
    priors = [level.float().expand(2, -1, -1) for level in grids]
    found = AnySizeDecoder(head, 128)(*raw[:2], sizes, priors, *raw[2:])
    levels = 1 if name.startswith('efficientdet') else len(strides)
    assert found[1].shape == (2, before * levels)
    for image in range(2):
        kept, wanted = found[1][image] > 0, expected[1][image] > 0
        assert wanted.sum() > 10
        for value, reference in zip(found, expected, strict=True):
            torch.testing.assert_close(value[image][kept], reference[image][wanted])


@pytest.mark.parametrize('name', HEADS)
def test_priors(name: str) -> None:
    generator = head_and_levels(name)[0].prior_generator
    session = onnxruntime.InferenceSession(priors_model(generator).SerializeToString())
    for height, width in ((128, 128), (384, 256)):
        images = np.zeros((2, 3, height, width), np.float32)
        shapes = [(height // stride, width // stride) for stride, _ in generator.strides]
        expected = generator.grid_priors(shapes, device='cpu')
        for level, grid in zip(session.run(None, {'images': images}), expected, strict=True):
            assert level.shape == (2, *grid.shape)
            np.testing.assert_allclose(level[1], grid.numpy(), rtol=0, atol=1e-4)


def test_a_limit_is_needed() -> None:
    head, _ = head_and_levels('effnet_b0_fcos_coco', **{'model.test_cfg.nms_pre': -1})
    with pytest.raises(ValueError, match=r'needs test_cfg\.nms_pre, got none'):
        AnySizeDecoder(head, 128)
