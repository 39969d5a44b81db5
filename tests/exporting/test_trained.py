"""What is written of a config into an exported file."""

from __future__ import annotations

from typing import Any

import pytest

from effnet_dense.exporting.trained import _resize


@pytest.mark.parametrize(
    ('step', 'expected'),
    [
        (dict(type='Pad', size=(4, 4)), None),
        (dict(type='Resize', scale=(6, 4), keep_ratio=True), dict(scale=[6, 4], keep_ratio=True)),
        (dict(type='Resize', scale=6), dict(scale=[6, 6], keep_ratio=False)),
        (dict(type='mmdet.Resize', scale=6), dict(scale=[6, 6], keep_ratio=False)),
        (dict(type='Resize', scale_factor=0.5), dict(type='Resize', scale_factor=0.5)),
        (
            dict(type='FixShapeResize', width=6, height=4),
            dict(type='FixShapeResize', width=6, height=4),
        ),
    ],
)
def test_how_images_are_resized(step: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert _resize([dict(type='LoadImageFromFile'), step]) == expected
