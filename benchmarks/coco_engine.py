"""Time mmdet's CocoMetric by faster-coco-eval and by pycocotools, on a set of val2017's size.

    python -m benchmarks.coco_engine [--images 5000] [--classes 80] [--detections 100] [--rounds 3]

Objects and detections are random: per image as many objects as val2017 has on average (36,781 in
5,000 images), of which each is detected some times with an error, and detections elsewhere. Both
engines get the same detections, in turns; their figures must be equal. `engine` is the evaluation
alone, `metric` all that CocoMetric does with the results, which writes and reads a JSON file.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effnet_dense.compat.coco_engine import METRIC
from effnet_dense.utils.console import print_table

MODULE: Any = importlib.import_module(METRIC)
OBJECTS = 36_781 / 5_000
"""Of an image in val2017."""
SIDE = 640
CROWDS = 0.01
FAST = MODULE.COCOeval
"""As `effnet_dense.compat.coco_engine` has replaced it."""
SLOW = FAST.args[0]

Floats = NDArray[np.float64]


def boxes(rng: np.random.Generator, count: int) -> Floats:
    """Return boxes (count, 4) as x, y, width, height in an image of `SIDE`."""
    sides = np.exp(rng.normal(4, 1, (count, 2))).clip(4, 400)
    return np.concatenate([rng.uniform(0, 1, (count, 2)) * (SIDE - sides), sides], 1)


def detected(
    rng: np.random.Generator, objects: Floats, labels: Any, count: int, classes: int
) -> Any:
    """Return boxes (count, 4), and labels: two thirds near an object, the others anywhere."""
    found, kinds = boxes(rng, count), rng.integers(0, classes, count)
    near = min(3 * len(objects), 2 * count // 3)
    if near:
        which = rng.integers(0, len(objects), near)
        shift = rng.normal(0, 0.08, (near, 4)) * np.tile(objects[which][:, 2:], 2)
        found[:near] = objects[which] + shift
        found[:near, 2:] = found[:near, 2:].clip(1)
        same = rng.random(near) < 0.8
        kinds[:near] = np.where(same, labels[which], kinds[:near])
    return found, kinds


def random_set(images: int, classes: int, detections: int) -> tuple[dict[str, Any], list[Any]]:
    """Return a dataset in COCO's format, and what CocoMetric collects of its predictions."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(classes, 0.4))
    annotations: list[dict[str, Any]] = []
    results = []
    counts = rng.multinomial(round(OBJECTS * images), np.full(images, 1 / images))
    for number, count in enumerate(counts, 1):
        objects, labels = boxes(rng, count), rng.choice(classes, count, p=shares)
        for box, label in zip(objects, labels, strict=True):
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=int(label) + 1,
                    bbox=box.tolist(),
                    area=float(box[2] * box[3]),
                    iscrowd=int(rng.random() < CROWDS),
                )
            )
        found, kinds = detected(rng, objects, labels, detections, classes)
        found[:, 2:] += found[:, :2]
        scores = rng.beta(1, 4, detections)
        predicted = dict(img_id=number, bboxes=found, scores=scores, labels=kinds)
        results.append((dict(img_id=number, width=SIDE, height=SIDE), predicted))
    listed = [dict(id=n + 1, width=SIDE, height=SIDE, file_name=f'{n}.jpg') for n in range(images)]
    categories = [dict(id=n + 1, name=f'class {n}') for n in range(classes)]
    return dict(images=listed, categories=categories, annotations=annotations), results


class _Clock:
    """Builds an engine's evaluations, and adds up the time that they take."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.seconds = engine, 0.0

    def __call__(self, *given: Any) -> Any:
        evaluation = self.engine(*given)
        for name in ('evaluate', 'accumulate', 'summarize'):
            setattr(evaluation, name, self._timed(getattr(evaluation, name)))
        return evaluation

    def _timed(self, step: Any) -> Any:
        def run() -> None:
            start = time.perf_counter()
            step()
            self.seconds += time.perf_counter() - start

        return run


def measure(engine: Any, path: Path, classes: int, results: Any) -> tuple[float, float, Any]:
    """Return the seconds of an engine, those of the metric, and its figures."""
    clock = _Clock(engine)
    MODULE.COCOeval = clock
    metric = MODULE.CocoMetric(ann_file=str(path), classwise=True)
    metric.dataset_meta = dict(classes=[f'class {n}' for n in range(classes)])
    with redirect_stdout(StringIO()):
        start = time.perf_counter()
        figures = metric.compute_metrics(results)
    return clock.seconds, time.perf_counter() - start, figures


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('--images', type=int, default=5000)
    parser.add_argument('--classes', type=int, default=80)
    parser.add_argument('--detections', type=int, default=100)
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    dataset, results = random_set(args.images, args.classes, args.detections)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'annotations.json')
        path.write_text(json.dumps(dataset), encoding='utf-8')
        for number in range(args.rounds):
            fast = measure(FAST, path, args.classes, results)
            slow = measure(SLOW, path, args.classes, results)
            same = np.array_equal([*fast[2].values()], [*slow[2].values()], equal_nan=True)
            pairs = (slow[0], fast[0]), (slow[1], fast[1])
            ratios = (f'{a:.1f} → {b:.1f} s, {a / b:.1f} ×' for a, b in pairs)
            rows.append([str(number + 1), *ratios, 'yes' if same else 'no'])
    print_table(
        'pycocotools → faster-coco-eval', ['round', 'engine', 'metric', 'equal'], rows, 'rrrl'
    )


if __name__ == '__main__':
    main()
