"""Detections in tiles of an image."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from effnet_dense.inference import Predictor
from effnet_dense.inference.tile_merging import merged
from effnet_dense.inference.tiles import Tiling
from tests.helpers.exported_files import identity, whole_image
from tests.helpers.tiny_models import detector, saved, segmentor


def test_windows_cover_the_image() -> None:
    for height, width, side, overlap in (
        (1000, 1500, 640, 0.2),
        (70, 641, 64, 0.5),
        (64, 65, 64, 0),
    ):
        seen = np.zeros((height, width), int)
        windows = Tiling(side, overlap).windows(height, width)
        for x1, y1, x2, y2 in windows:
            assert 0 < x2 - x1 <= side and 0 < y2 - y1 <= side
            seen[y1:y2, x1:x2] += 1
        assert seen.min() == 1
        columns = sorted({x1 for x1, *_ in windows})
        shared = [a + side - b for a, b in itertools.pairwise(columns)]
        assert min(shared, default=0) >= int(side * overlap)
    assert Tiling(640).windows(640, 480) == []


def test_an_image_of_one_tile_is_predicted_as_ever(tmp_path: Path) -> None:
    config = detector()
    checkpoint = saved(config, tmp_path / 'best.pth')
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    plain, tiled = (
        Predictor(config, checkpoint, runtime='pytorch', tiling=tiling)
        for tiling in (None, Tiling(80))
    )
    one, other = plain(image).pred_instances, tiled(image).pred_instances
    assert len(one) and torch.equal(one.bboxes, other.bboxes)
    assert torch.equal(one.scores, other.scores)


@pytest.mark.parametrize('batch', [1, 2, 3])
def test_tiles_are_predicted_in_their_places(
    tmp_path: Path, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file finds one object, of the size of what it is given."""
    pytest.importorskip('onnxruntime', reason='the extra onnx is not installed')
    joined = []

    def join(whole: Any, tiles: Any, windows: Any) -> Any:
        joined.append([tile.pred_instances.bboxes[0].round().int().tolist() for tile in tiles])
        assert windows == [(0, 0, 40, 30), (30, 0, 70, 30), (60, 0, 100, 30)]
        return merged(whole, tiles, windows)

    monkeypatch.setattr('effnet_dense.inference.predictor.merged', join)
    predictor = Predictor(whole_image(tmp_path / 'model.onnx'), tiling=Tiling(40, 0.25))
    image = np.full((30, 100, 3), 200, np.uint8)
    for each in predictor([image, image], batch):
        assert each.pred_instances.bboxes.round().int().tolist() == [[0, 0, 100, 30]]
        assert each.ori_shape == (30, 100)
    prepared = [predictor.prepare(image)] * batch
    for _ in range(2):  # as after a batch that failed
        list(predictor.predict_prepared(prepared))
    assert joined == [[[0, 0, 40, 30]] * 3] * (2 + 2 * batch)


def test_mistakes(tmp_path: Path) -> None:
    config = segmentor()
    checkpoint = saved(config, tmp_path / 'best.pth')
    for tiling, match in (
        (Tiling(31), 'at least 32 whole pixels, got 31'),
        (Tiling(64.5), 'whole pixels, got 64.5'),  # type: ignore[arg-type]
        (Tiling('64'), "whole pixels, got '64'"),  # type: ignore[arg-type]
        (640, r'such as Tiling\(640, overlap=0.2\), got 640'),
        (Tiling(64, 0.95), 'from 0 to 0.9, got 0.95'),
        (Tiling(64, 1.5), 'expected an overlap from 0 to 0.9, got 1.5'),
        (Tiling(64, -0.1), 'expected an overlap from 0 to 0.9, got -0.1'),
        (Tiling(64, float('nan')), 'from 0 to 0.9, got nan'),
        (Tiling(64, '0.2'), "from 0 to 0.9, got '0.2'"),  # type: ignore[arg-type]
        (Tiling(64), r"mode='slide', .*got EncoderDecoder"),
    ):
        with pytest.raises(ValueError, match=match):
            Predictor(config, checkpoint, tiling=tiling)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='tiles are for detectors of boxes'):
        Predictor(identity(tmp_path / 'a.onnx'), tiling=Tiling(64))
