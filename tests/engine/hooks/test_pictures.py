"""Which images are drawn while testing, and how the drawings are named."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.structures import BaseDataElement

from effnet_dense.engine import PicturesHook


@pytest.mark.parametrize(
    ('count', 'drawn'), [(None, [0, 1, 2, 3, 4, 5, 6]), (3, [0, 3, 6]), (20, [*range(7)])]
)
def test_as_many_as_asked_for(count: int | None, drawn: list[int], tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = []

    def draw(name: str, image: Any, **options: Any) -> None:
        calls.append(options)
        cv2.imwrite(options['out_file'], image)

    runner = SimpleNamespace(
        test_dataloader=range(7),
        visualizer=SimpleNamespace(add_datasample=draw),
    )
    hook = PicturesHook(tmp_path / 'out', count, score_thr=0.4)
    for index in range(7):
        path = tmp_path / f'{index}.png'
        cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
        sample = BaseDataElement(metainfo=dict(img_path=str(path)))
        if index == 3:
            sample.pred_instances = BaseDataElement()
        hook.after_test_iter(runner, index, None, [sample])
    files = sorted((tmp_path / 'out').glob('*.png'))
    assert files == [tmp_path / 'out' / f'{index}.png' for index in drawn]
    assert len(calls) == len(drawn)
    with_boxes = [index for index, call in zip(drawn, calls, strict=True) if len(call) > 2]
    assert with_boxes == [3], 'the threshold is for detections alone'
