"""Which models cannot be exported, and why."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from effnet_dense.engine.config import load_config
from effnet_dense.exporting.tasks import check_segmentor, detector_task, label_rules_of
from effnet_dense.settings import Settings
from tests.helpers.build import build

SETTINGS = Settings(backbone='lite0', weights='none')


def test_deformable_attention_is_refused() -> None:
    mask2former = build(load_config('effnet_b3_mask2former_coco', settings=SETTINGS))
    with pytest.raises(ValueError, match=r'^Mask2Former cannot be exported: its deformable atte'):
        detector_task(mask2former)
    segmentor = build(load_config('effnet_b5_mask2former_ade20k', settings=SETTINGS))
    with pytest.raises(ValueError, match=r'^Mask2FormerHead cannot be exported: its deformable '):
        check_segmentor(segmentor)


@pytest.mark.parametrize(
    ('channels', 'threshold', 'expected'), [(1, 0.3, 0.3), (1, None, None), (19, None, None)]
)
def test_rules_of_label_maps(channels: int, threshold: Any, expected: Any) -> None:
    head = SimpleNamespace(threshold=threshold)
    model = SimpleNamespace(out_channels=channels, align_corners=True, decode_head=head)
    assert label_rules_of(model) == dict(threshold=expected, align_corners=True)
