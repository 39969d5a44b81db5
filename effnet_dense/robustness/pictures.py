"""Draw images of a stress test: corrupted ones, and clean, attacked and difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import pseudo_collate

from effnet_dense.data.transforms.corruption import corrupted, image_seed
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.inference.drawer import Drawer
from effnet_dense.report import panels
from effnet_dense.report.overlays import Overlay
from effnet_dense.report.sections import Gallery
from effnet_dense.robustness.attacker import Attacker
from effnet_dense.robustness.figures import Figures
from effnet_dense.robustness.pixels import as_rgb
from effnet_dense.robustness.request import Request
from effnet_dense.robustness.session import Session, spread
from effnet_dense.utils.outputs import remove_ours
from effnet_dense.utils.progress import track

FOLDER = 'stress_images'
GREY = 127.5


def picture_files(request: Request, out: Path) -> list[Path]:
    """List the files that `draw_pictures` writes at most."""
    if not request.pictures:
        return []
    names = [*request.corruptions]
    names += [f'{name}_{at + 1}' for name in request.attacks for at in range(request.pictures)]
    return [out / FOLDER / f'{name}.jpg' for name in names]


def draw_pictures(session: Session, request: Request, figures: Figures, out: Path) -> list[Gallery]:
    """Draw predictions on one image under each corruption, and on some attacked images.

    Args:
        session: Which evaluated.
        request: With the number of images.
        figures: What was measured.
        out: The folder of the page; files go into its `FOLDER`, whose earlier ones are removed.
    """
    if (out / FOLDER).is_dir():
        remove_ours(out / FOLDER)
    if not request.pictures:
        return []
    drawer = Drawer(session.config, session.runner.test_loop.dataloader.dataset.metainfo)
    made = []
    if request.corruptions:
        made.append(_corrupted(session, request, figures, out / FOLDER, drawer))
    made += [_attacked(session, request, figures, out / FOLDER, drawer, a) for a in request.attacks]
    return made


def _corrupted(
    session: Session, request: Request, figures: Figures, folder: Path, drawer: Drawer
) -> Gallery:
    severity = request.severities[len(request.severities) // 2]
    overlays = []
    for name in track(request.corruptions, 'drawing corruptions'):
        step = dict(
            type='effnet_dense.Corrupt', corruption=name, severity=severity, seed=request.seed
        )
        dataset: Any = session.loader(step).dataset
        index = spread(len(dataset), request.pictures)[0]
        (sample,) = session.step(pseudo_collate([dataset[index]]))
        image = panels.read_rgb(str(sample.img_path))
        score = figures.by_severity(name)[severity]
        file = folder / f'{name}.jpg'
        if image is not None:
            seed = image_seed(sample.get('img_id'), sample.img_path, request.seed)
            changed = corrupted(_three_channels(image), name, severity, seed)
            panels.write_jpeg(file, _drawn(drawer, changed, sample))
        overlays.append(Overlay(file if image is not None else None, name, score, ''))
    title = f'Predictions at severity {severity}, with the {figures.name} of all images'
    return Gallery(title, overlays)


def _attacked(
    session: Session,
    request: Request,
    figures: Figures,
    folder: Path,
    drawer: Drawer,
    attack: str,
) -> Gallery:
    epsilon = request.epsilons[-1]
    attacker = Attacker(session.model, attack, epsilon, request.pgd_steps, request.seed)
    dataset: Any = session.loader(truth_first=True).dataset
    overlays = []
    chosen = track(spread(len(dataset), request.pictures), f'drawing {attack}')
    for place, index in enumerate(chosen, 1):
        batch = pseudo_collate([dataset[index]])
        clean, changed, _ = attacker.attacked(batch)
        (before,), (after,) = session.step(batch), attacker.step(batch)
        size = before.img_shape[:2]
        preprocessor = session.model.data_preprocessor
        images = [as_rgb(preprocessor, each[0], size) for each in (clean, changed)]
        shift = difference(preprocessor, clean[0], changed[0], size, epsilon)
        large = [panels.resize(each, before.ori_shape[:2]) for each in (*images, shift)]
        drawn = [_drawn(drawer, large[0], before), _drawn(drawer, large[1], after)]
        small = panels.resize(large[2], drawn[0].shape[:2])
        file = folder / f'{attack}_{place}.jpg'
        panels.write_jpeg(file, panels.side_by_side([*drawn, small]), quality=92)
        score = figures.by_epsilon(attack)[epsilon]
        overlays.append(Overlay(file, Path(str(before.img_path)).name, score, ''))
    title = (
        f'{attack.upper()}, ε = {epsilon:g}/255: clean, attacked, and the difference, enlarged '
        f'{GREY / epsilon:.0f} times; with the {figures.name} of all images'
    )
    return Gallery(title, overlays)


def difference(
    preprocessor: Any,
    clean: torch.Tensor,
    attacked: torch.Tensor,
    size: tuple[int, int],
    epsilon: float,
) -> ImageArray:
    """Return an attack's difference (height, width, 3): grey is none, black and white are ±ε.

    Args:
        preprocessor: Which normalised the images.
        clean: (3, h, w).
        attacked: (3, h, w).
        size: Height and width without padding.
        epsilon: In grey levels.
    """
    mean = getattr(preprocessor, 'mean', torch.zeros(1, 1, 1)).to(clean)
    std = getattr(preprocessor, 'std', torch.ones(1, 1, 1)).to(clean)
    levels = (attacked - clean) * std / epsilon * GREY + GREY
    return as_rgb(preprocessor, (levels - mean) / std, size)


def _drawn(drawer: Drawer, image: ImageArray, sample: Any) -> ImageArray:
    """Draw a sample's prediction on an RGB image, and scale it to a panel."""
    drawn = drawer(np.ascontiguousarray(image[..., ::-1]), sample.cpu())[..., ::-1]
    rgb = np.ascontiguousarray(drawn)
    return panels.resize(rgb, panels.panel_size(*rgb.shape[:2]))


def _three_channels(image: ImageArray) -> ImageArray:
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
