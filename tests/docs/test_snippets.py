"""Config snippets of the documentation build and fit together."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope

from tests.helpers import documents

ELSEWHERE = ('.pth', '.jpg', 'timm://', 'my_folder')  # files and hubs that a test does not have
SCRIPTS = [
    pytest.param(code, id=f'{documents.name_of(page)}-{number}')
    for page in documents.PAGES
    for number, code in enumerate(documents.blocks(page, 'python'))
    if code.startswith(('import ', 'from ')) and not any(word in code for word in ELSEWHERE)
]


@pytest.mark.parametrize('code', SCRIPTS)
def test_scripts_run(code: str) -> None:
    exec(code, {})


def config(page: str, key: str) -> dict[str, Any]:
    """The value of `key` in the first Python block of a page that assigns it."""
    for code in documents.blocks(documents.ROOT / page, 'python'):
        values: dict[str, Any] = {}
        if code.startswith((f'{key} =', 'custom_imports')) and f'{key} = ' in code:
            exec(code, values)
            return values[key]
    raise KeyError(f'{page} has no snippet of {key}')


def build(part: dict[str, Any]) -> Any:
    """A part of a model, from random weights."""
    init_default_scope('mmdet')
    return MODELS.build({k: v for k, v in part.items() if k != 'init_cfg'}).eval()


@pytest.mark.parametrize('page', ['README.md', 'docs/backbone.md'])
def test_backbone_and_neck(page: str) -> None:
    model = config(page, 'model')
    backbone, neck = build(model['backbone']), build(model['neck'])
    assert list(backbone.out_channels) == model['neck']['in_channels']
    with torch.no_grad():
        levels = neck(backbone(torch.zeros(1, 3, 128, 128)))
    assert [tuple(level.shape) for level in levels] == [
        (1, 256, side, side) for side in (16, 8, 4, 2, 1)
    ]


def test_bifpn() -> None:
    neck = build(config('docs/backbone.md', 'neck'))
    features = [torch.zeros(1, c, s, s) for c, s in ((40, 16), (112, 8), (320, 4))]
    with torch.no_grad():
        assert [level.shape[-1] for level in neck(features)] == [16, 8, 4, 2, 1]


def test_segmentation_head() -> None:
    init_default_scope('mmseg')
    head = MODELS.build(config('docs/backbone.md', 'decode_head')).eval()
    with torch.no_grad():
        assert head([torch.zeros(1, 256, 16, 16)]).shape == (1, 150, 16, 16)


def test_mmdets_arguments_build() -> None:
    part = config('docs/migrating.md', 'backbone')
    assert build({**part, 'norm_cfg': {**part['norm_cfg'], 'type': 'BN'}}).out_channels == (
        48,
        136,
        384,
    )
