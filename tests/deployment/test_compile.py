"""torch.compile takes backbone, BiFPN and head in one graph each, with the plain path's results."""

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from effnet_dense.analysis.detector import DetectorNetwork
from effnet_dense.models import EfficientNet

TINY = dict(base='b0', width=0.25, depth=0.3)


def detector(lean: int) -> DetectorNetwork:
    """EfficientDet-D0 with a narrow backbone: every kind of block, BiFPN and head as they are."""
    torch.manual_seed(0)
    model = DetectorNetwork('d0', lean)
    thin = EfficientNet(TINY, lean=lean)
    model.backbone = thin
    model.neck.cells = model.neck.cells[:1]
    first = type(model.neck)(list(thin.out_channels), 64, num_cells=1, conv_bias=True, lean=lean)
    model.neck = first
    return model


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('lean', [0, 1])
def test_a_detector_is_one_graph(training, lean):
    model = detector(lean).train(training)
    counter = CompileCounter()
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    x = torch.randn(2, 3, 64, 64)
    with torch.set_grad_enabled(training):
        logits, deltas = compiled(x)
    assert counter.frame_count == 1
    assert [level.shape[1] for level in logits] == [9 * 90] * 5
    assert [level.shape[-1] for level in deltas] == [8, 4, 2, 1, 1]
