"""The method of soft-NMS where a config names none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from effnet_dense.models.efficientdet_head import EfficientDetHead


def with_method(model: Any, nms: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a detector's suppression with the method that PyTorch uses.

    `EfficientDetHead` takes 'gaussian' by default, as effdet does; mmcv, and so the other heads,
    'linear'.

    Args:
        model: The detector.
        nms: mmdet's config, such as dict(type='soft_nms', sigma=0.5).
    """
    if nms.get('type') != 'soft_nms':
        return dict(nms)
    gaussian = isinstance(getattr(model, 'bbox_head', None), EfficientDetHead)
    return {'method': 'gaussian' if gaussian else 'linear', **nms}
