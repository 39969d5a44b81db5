"""The method of soft-NMS that a config leaves out is that of the function PyTorch calls."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import effnet_dense.compat

effnet_dense.compat.install()

import pytest  # noqa: E402
from mmcv.ops import soft_nms  # noqa: E402
from torch import nn  # noqa: E402

from effnet_dense.exporting.soft_nms_default import with_method  # noqa: E402
from effnet_dense.models import EfficientDetHead  # noqa: E402
from effnet_dense.ops.soft_nms import batched_soft_nms  # noqa: E402

EFFICIENTDET = SimpleNamespace(bbox_head=EfficientDetHead.__new__(EfficientDetHead))


@pytest.mark.parametrize(
    ('model', 'function'),
    [
        (EFFICIENTDET, batched_soft_nms),
        (SimpleNamespace(bbox_head=nn.Identity()), soft_nms),
        (SimpleNamespace(rpn_head=nn.Identity()), soft_nms),
    ],
)
def test_the_functions_default(model: Any, function: Any) -> None:
    default = inspect.signature(function).parameters['method'].default
    found = with_method(model, dict(type='soft_nms', sigma=0.4))
    assert found == dict(type='soft_nms', sigma=0.4, method=default)


def test_what_is_written_stays() -> None:
    for nms in (dict(type='soft_nms', method='naive'), dict(type='nms', iou_threshold=0.6)):
        assert with_method(EFFICIENTDET, nms) == nms
