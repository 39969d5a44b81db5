"""Stress-test a trained model: evaluate it on corrupted and on attacked images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config
from rich.progress import Progress, TaskID

from effnet_dense.data.transforms.corruption import SMALLEST, Corrupt, check_sides
from effnet_dense.engine.outputs import check_run
from effnet_dense.report.about import versions
from effnet_dense.report.store import save_json
from effnet_dense.robustness.attacker import Attacker
from effnet_dense.robustness.figures import Figures, Metrics, chosen_metric
from effnet_dense.robustness.page import output_files, write_robustness
from effnet_dense.robustness.pictures import draw_pictures, picture_files
from effnet_dense.robustness.request import Request
from effnet_dense.robustness.session import Session
from effnet_dense.robustness.text import shown, values_line
from effnet_dense.robustness.truth import check_has_loss
from effnet_dense.utils.output_folders import check_folder
from effnet_dense.utils.progress import progress_bar
from effnet_dense.utils.urls import public_name

JSON = 'robustness.json'


def stress(config: Config, checkpoint: str, request: Request, out: str | Path) -> Figures:
    """Evaluate a checkpoint on clean, corrupted and attacked images; write JSON and a page.

    Args:
        config: From `load_config`.
        checkpoint: Any source of `effnet_dense.load_weights`.
        request: What to test.
        out: Folder for robustness.json, index.html and its images.

    Returns:
        The figures.

    Raises:
        FileNotFoundError: The checkpoint or a data file is missing.
        FileExistsError: An output has the name of a file that the package did not write.
        ImportError: The package of corruptions is not installed.
        ValueError: The model has no loss to attack, the metric is unknown, or see
            `effnet_dense.engine.jobs.test`.
    """
    out = Path(out)
    check_folder(out)
    files = [*output_files(out), *picture_files(request, out), out / JSON]
    check_run(config, ('test',), [out], files)
    for name in request.corruptions[:1]:
        Corrupt(name)  # whether the package is there, before anything is loaded
    session = Session(config, checkpoint, request.max_images)
    if request.corruptions:
        _check_sizes(session)
    if request.attacks:
        _check_attackable(session)
    facts = _facts(session, checkpoint, request)
    with _Progress.of(request) as progress:
        for figures in _evaluate(session, request, progress):
            save_json(out / JSON, facts | figures.as_dict())
    pictures = draw_pictures(session, request, figures, out)
    write_robustness(out, figures, request, pictures, _title(session))
    return figures


def _evaluate(session: Session, request: Request, progress: _Progress) -> Iterator[Figures]:
    """Yield the figures after clean images, and after each corruption and attack."""
    clean_loader = session.loader()
    dataset: Any = clean_loader.dataset
    images = len(dataset)
    progress.images = images
    with progress.step('clean'):
        clean = session.evaluate(clean_loader, seen=progress.seen)
    figures = Figures(chosen_metric(clean, request.metric), images, clean)
    info = session.runner.logger.info
    info(f'{images} clean images: {figures.name} {shown(figures.performance)}')
    yield figures
    for name in request.corruptions:
        found: dict[int, Metrics] = {}
        for severity in request.severities:
            made = dict(
                type='effnet_dense.Corrupt', corruption=name, severity=severity, seed=request.seed
            )
            with progress.step(f'{name} {severity}'):
                found[severity] = session.evaluate(session.loader(made), seen=progress.seen)
        figures.corrupted[name] = found
        info(f'{name}: {values_line(figures.name, figures.by_severity(name))}')
        yield figures
    loader = session.loader(truth_first=True) if request.attacks else clean_loader
    for attack in request.attacks:
        changed: dict[float, Metrics] = {}
        for epsilon in request.epsilons:
            attacker = Attacker(session.model, attack, epsilon, request.pgd_steps, request.seed)
            with progress.step(f'{attack} ε = {epsilon:g}/255'):
                changed[epsilon] = session.evaluate(loader, attacker.step, progress.seen)
        figures.attacked[attack] = changed
        info(f'{attack}: {values_line(figures.name, figures.by_epsilon(attack))}')
        yield figures


def _check_sizes(session: Session) -> None:
    """Check the sizes of images that are known without loading them, as those of COCO's JSON.

    Raises:
        ValueError: One is too small to be corrupted.
    """
    dataset: Any = session.loader().dataset
    for info in map(dataset.get_data_info, range(len(dataset))):
        try:
            check_sides(info.get('height', SMALLEST), info.get('width', SMALLEST))
        except ValueError as error:
            raise ValueError(
                f'{info["img_path"]}: {error}: leave it out of the test data, or corruptions out '
                '(--corruptions none)'
            ) from None


def _check_attackable(session: Session) -> None:
    """Attack a first batch, so that what fails does so before the evaluations.

    Raises:
        ValueError: The model has no loss, its classes are not the data's, or see `loss_gradient`.
    """
    check_has_loss(session.model)
    if session.mapped:
        raise ValueError(
            'attacks need data with the classes of the checkpoint, in its order: leave the '
            'attacks out, or evaluate with the classes of the training'
        )
    loader = session.loader(truth_first=True)
    batch = next(iter(loader))
    with session.first_step.errors():
        Attacker(session.model, 'fgsm', 1.0).step(batch)


def _facts(session: Session, checkpoint: str, request: Request) -> dict[str, Any]:
    return dict(
        config=_title(session),
        checkpoint=public_name(str(checkpoint)),
        seed=request.seed,
        pgd_steps=request.pgd_steps,
        versions=versions(),
    )


def _title(session: Session) -> str:
    config = session.config
    return str(config.get('experiment_name') or Path(config.filename or 'model').stem)


class _Progress:
    """One bar of all evaluations' images."""

    def __init__(self, bars: Progress, evaluations: int) -> None:
        self.bars = bars
        self.evaluations = evaluations
        self.task: TaskID = bars.add_task('loading', total=None)
        self.images = 0

    @classmethod
    @contextmanager
    def of(cls, request: Request) -> Iterator[_Progress]:
        """Show the bar in the block."""
        with progress_bar(transient=True) as bars:
            yield cls(bars, request.evaluations)

    @contextmanager
    def step(self, description: str) -> Iterator[None]:
        """Name what is evaluated in the block."""
        total = self.images * self.evaluations
        self.bars.update(self.task, description=description, total=total)
        yield

    def seen(self, images: int) -> None:
        """Count images."""
        self.bars.advance(self.task, images)
