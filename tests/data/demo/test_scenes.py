"""Shapes, their visibility and their edges in drawn scenes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from effnet_dense.data.demo.scenes import SHAPES, VISIBLE, _area, _cover, draw_scene


def test_masks_lie_on_the_objects() -> None:
    """Along the rims of the masks the image's colours must change more than elsewhere."""
    ratios = []
    for seed in range(20):
        scene = draw_scene(np.random.default_rng(seed))
        grey = cv2.GaussianBlur(scene.image, (5, 5), 0).astype(np.float32)
        edges = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1)).max(2)
        for number in range(len(scene.labels)):
            mask = (scene.owner == number).astype(np.uint8)
            rim = mask - cv2.erode(mask, np.ones((3, 3), np.uint8))
            ratios.append(edges[rim > 0].mean() / edges.mean())
    assert np.median(ratios) > 3


def _rim(outlines: list[np.ndarray]) -> float:
    return sum(cv2.arcLength(outline.astype(np.float32), True) for outline in outlines)


def test_objects_stay_half_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every accepted outline's visible pixels are between half its area and all of it."""
    import effnet_dense.data.demo.scenes as scenes

    areas: list[float] = []
    rims: list[float] = []
    paint = scenes._paint
    place = scenes._place
    last: list[list[np.ndarray]] = []

    def noting_place(*args: object) -> list[np.ndarray]:
        last[:] = [place(*args)]  # type: ignore[arg-type]
        return last[0]

    def noting_paint(*args: object) -> None:
        if last:  # clutter is painted before any shape is placed
            areas.append(_area(last[0]))
            rims.append(_rim(last[0]))
        paint(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(scenes, '_place', noting_place)
    monkeypatch.setattr(scenes, '_paint', noting_paint)
    for seed in range(15):
        areas.clear(), rims.clear(), last.clear()
        scene = draw_scene(np.random.default_rng(seed))
        assert len(areas) == len(scene.labels) >= 1
        seen = np.bincount(scene.owner[scene.owner >= 0], minlength=len(areas))
        assert (seen >= VISIBLE * np.array(areas)).all()
        assert (seen <= np.add(areas, rims)).all()


@pytest.mark.parametrize(
    ('name', 'area'),
    [
        ('disc', np.pi),
        ('square', 2.0),
        ('triangle', 3 * np.sqrt(3) / 4),
        ('ring', np.pi * (1 - 0.55**2)),
        ('cross', (8 * 0.33 - 4 * 0.33**2) / (1 + 0.33**2)),  # two bars less their overlap
    ],
)
def test_shapes_have_the_areas_of_geometry(name: str, area: float) -> None:
    outlines = [100 * outline + 120 for outline in SHAPES[name]]
    assert max(np.hypot(*(SHAPES[name][0]).T)) == pytest.approx(1)
    assert _area(outlines) == pytest.approx(1e4 * area, rel=5e-3)
    # OpenCV fills the pixels that an outline runs through, too: up to a pixel along its length.
    assert 0 <= _cover(outlines, 240, 240).sum() - _area(outlines) <= _rim(outlines)


def test_every_class_occurs_in_many_scales() -> None:
    scenes = [draw_scene(np.random.default_rng(seed)) for seed in range(40)]
    labels = [label for scene in scenes for label in scene.labels]
    assert set(labels) == set(range(len(SHAPES)))
    sides = [np.sqrt((s.owner == i).sum()) for s in scenes for i in range(len(s.labels))]
    assert min(sides) < 24 and max(sides) > 90
    assert len({scene.image.shape for scene in scenes}) > 30
