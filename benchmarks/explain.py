"""Deletion curves of class-activation maps: do the marked pixels carry the score?

    python -m benchmarks.explain RUN IMAGES [--names val.json] [--limit 20]

Cells of an image are deleted (set to its mean colour), the most marked first, until as many pixels
are gone as the object has. The area under the curve of the score, as a share of the score before,
is 1 where nothing is lost and 0 where the first cell takes all. An object's score is that of
D-RISE (arXiv:2006.03204): the largest product of score and IoU with the box among the detections
of its class. A class's is its mean probability over the pixels that had it.

The orders beside the maps: from the box's centre outwards (in label maps from the depth of the
class's regions), at random within the object, and at random in the image.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torchvision.ops import box_iou

from effnet_dense.inference import Predictor
from effnet_dense.inference.explaining.activation_maps import METHODS
from effnet_dense.inference.explaining.explainer import LAYERS, Explainer, Explanation
from effnet_dense.inference.inputs import find_inputs
from effnet_dense.utils.console import print_table

Image = NDArray[np.uint8]
Map = NDArray[np.float32]
CELLS = 40
"""Cells along the longer side of an image."""
STEPS = 10
"""Points of a curve after the first."""


def cell_means(values: Map, side: int) -> Map:
    """Return the means of a map's cells of `side` × `side` pixels."""
    rows, columns = (-(-length // side) for length in values.shape)
    padded = np.pad(
        values, [(0, rows * side - values.shape[0]), (0, columns * side - values.shape[1])], 'edge'
    )
    return padded.reshape(rows, side, columns, side).mean((1, 3))


def inside(found: Explanation) -> Map:
    """Return the pixels of an object's box, or of a class: 1, others 0."""
    if found.box is None and found.mask is not None:
        return found.mask.astype(np.float32)
    pixels = np.zeros_like(found.heat)
    assert found.box is not None
    x1, y1, x2, y2 = found.box.round().astype(int).clip(0)
    pixels[y1:y2, x1:x2] = 1
    return pixels


def centre(found: Explanation) -> Map:
    """Return values that fall from an object's centre outwards."""
    if found.box is None:
        return cv2.distanceTransform(inside(found).astype(np.uint8), cv2.DIST_L2, 3)
    x1, y1, x2, y2 = found.box
    y, x = np.mgrid[: found.heat.shape[0], : found.heat.shape[1]].astype(np.float32)
    return -np.hypot((2 * x - x1 - x2) / (x2 - x1), (2 * y - y1 - y2) / (y2 - y1))


def deleted(image: Image, values: Map, area: int) -> Iterator[Image]:
    """Yield an image, and copies of which cells of up to `area` pixels are gone, highest first."""
    side = max(1, round(max(image.shape[:2]) / CELLS))
    cells = cell_means(values, side)
    order = cells.argsort(axis=None, kind='stable')[::-1]
    colour = image.mean((0, 1)).round().astype(np.uint8)
    yield image
    for step in range(1, STEPS + 1):
        gone = np.zeros(cells.size, bool)
        gone[order[: round(area * step / STEPS / side**2)]] = True
        pixels = gone.reshape(cells.shape).repeat(side, 0).repeat(side, 1)
        yield np.where(pixels[: image.shape[0], : image.shape[1], None], colour, image)


def score(sample: Any, found: Explanation) -> float:
    """Return how much of an object, or of a class, a prediction still shows."""
    if found.box is None:
        shares = sample.seg_logits.data.softmax(0)[found.label]
        return float(shares[torch.from_numpy(found.mask)].mean())
    instances = sample.pred_instances
    same = instances[instances.labels == found.label]
    if not len(same):
        return 0.0
    overlap = box_iou(torch.from_numpy(found.box)[None], same.bboxes)[0]
    return float((overlap * same.scores).max())


def area_under(predictor: Predictor, image: Image, found: Explanation, values: Map) -> float:
    """Return the area under a deletion curve, as a share of the first score."""
    images = list(deleted(image, values, int(inside(found).sum())))
    curve = [score(sample, found) for sample in predictor.predict(images, len(images))]
    return float(np.trapezoid(curve) / STEPS / max(curve[0], 1e-9))


def randomised(predictor: Predictor, part: Callable[[Any], Any]) -> Predictor:
    """Return a predictor, a part of whose model has new random weights."""
    other = copy.copy(predictor)
    other.model = copy.deepcopy(predictor.model)
    torch.manual_seed(0)
    for module in part(other.model).modules():
        if hasattr(module, 'reset_parameters'):
            module.reset_parameters()
    return other


def correlation(one: Explanation, other: Explanation) -> float:
    """Return the rank correlation of two maps over the cells of the object."""
    side = max(1, round(max(one.heat.shape) / CELLS))
    kept = cell_means(inside(one), side) > 0.5
    values = [cell_means(each.heat, side)[kept] for each in (one, other)]
    constant = any(np.ptp(each) == 0 for each in values)
    return 0.0 if constant or kept.sum() < 4 else float(spearmanr(*values).statistic)


def head_of(model: Any) -> Any:
    """Return the part after the neck."""
    names = ('bbox_head', 'roi_head', 'decode_head')
    return next(getattr(model, name) for name in names if getattr(model, name, None) is not None)


def measure(
    predictor: Predictor, images: Sequence[Path], methods: Sequence[str], top: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the areas by order of deletion, and correlations by map and randomised part."""
    parts = {'head': head_of, 'all weights': lambda model: model}
    others = {name: randomised(predictor, part) for name, part in parts.items()}
    areas: dict[str, list[float]] = {}
    correlations: dict[str, list[float]] = {}
    generator = np.random.default_rng(0)
    for path in images:
        image = predictor.read(path)
        (sample,) = predictor.predict([image])
        found: list[Explanation] = []
        for name in methods:
            method, layer = name.split(', ')
            found = Explainer(predictor, method, layer).explain(image, sample, top, 0.5)
            for each in found:
                area = area_under(predictor, image, each, each.heat)
                areas.setdefault(name, []).append(area)
            for part, other in others.items():
                new = Explainer(other, method, layer).explain(image, sample, top, 0.5)
                pairs = zip(found, new, strict=True)
                key = f'{name}: {part}'
                correlations.setdefault(key, []).extend(correlation(*pair) for pair in pairs)
        for each in found:
            noise = generator.random(each.heat.shape, np.float32)
            side = max(1, round(max(each.heat.shape) / CELLS))
            noise = cv2.resize(noise[::side, ::side], each.heat.shape[::-1], interpolation=0)
            orders = {
                'from the centre': centre(each),
                'random, object': noise + inside(each),
                'random, image': noise,
            }
            for name, values in orders.items():
                area = area_under(predictor, image, each, values)
                areas.setdefault(name, []).append(area)
    return areas, correlations


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument('run')
    parser.add_argument('images', type=Path, help='folder')
    parser.add_argument('--names', type=Path, help="take the images of this file in COCO's format")
    parser.add_argument('--limit', type=int, default=20, help='images, evenly spread')
    parser.add_argument('--top', type=int, default=3, help='objects or classes of an image')
    known = [f'{method}, {layer}' for layer in LAYERS for method in METHODS]
    parser.add_argument('--maps', nargs='+', default=known, choices=known, metavar='METHOD, LAYER')
    args = parser.parse_args()
    paths = [item.path for item in find_inputs([args.images], args.images / 'none')]
    if args.names:
        listed = json.loads(args.names.read_text(encoding='utf-8'))['images']
        names = {Path(image['file_name']).name for image in listed}
        paths = [path for path in paths if path.name in names]
    chosen = np.linspace(0, len(paths) - 1, min(args.limit, len(paths))).round().astype(int)
    predictor = Predictor(args.run, device='cpu', runtime='pytorch')
    areas, correlations = measure(predictor, [paths[i] for i in chosen], args.maps, args.top)
    centres, noise = np.array(areas['from the centre']), np.array(areas['random, object'])
    rows = [
        [name, f'{np.mean(values):.3f}', _share(values, centres), _share(values, noise)]
        for name, values in areas.items()
    ]
    title = f'Area under the deletion curve, {len(centres)} objects or classes'
    print_table(title, ['deleted', 'area', '< centre', '< random, object'], rows, 'lrrr')
    rows = [[name, f'{np.mean(values):.2f}'] for name, values in correlations.items()]
    print_table('Rank correlation with maps of random weights', ['map', 'correlation'], rows, 'lr')


def _share(values: Sequence[float], others: NDArray[Any]) -> str:
    """Return the share of objects for which an area is smaller than another."""
    return f'{(np.array(values) < others).mean():.0%}'


if __name__ == '__main__':
    main()
