"""Write the page of a stress test: charts, tables and images in one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from effnet_dense.data.transforms.corruption import FAMILIES
from effnet_dense.report import charts
from effnet_dense.report.page import write_html
from effnet_dense.report.sections import Cell, Chart, Gallery, Section, Table, Tile
from effnet_dense.robustness.figures import Figures
from effnet_dense.robustness.request import Request
from effnet_dense.robustness.text import share, shown
from effnet_dense.utils.counted import counted

PAGE = 'index.html'
ATTACKED = 'attacks.png'


def output_files(out: Path) -> list[Path]:
    """List the page and its charts."""
    return [out / PAGE, out / ATTACKED, *(out / f'{family}.png' for family in FAMILIES)]


def write_robustness(
    out: Path, figures: Figures, request: Request, pictures: Sequence[Gallery], title: str
) -> Path:
    """Write the page.

    Args:
        out: Its folder.
        figures: What was measured.
        request: What was asked for.
        pictures: From `draw_pictures`.
        title: Its heading.

    Returns:
        Its path.
    """
    sections = []
    if figures.corrupted:
        sections.append(_corruptions(out, figures))
    if figures.attacked:
        sections.append(_attacks(out, figures, request))
    if pictures:
        sections.append(Section('images', 'Images', galleries=list(pictures)))
    subtitle = f'Robustness · {counted(figures.images, "image")}'
    return write_html(out / PAGE, title, subtitle, _tiles(figures), sections)


def _tiles(figures: Figures) -> list[Tile]:
    tiles = [Tile(shown(figures.performance), f'{figures.name} on clean images (P)')]
    if figures.corrupted:
        tiles.append(Tile(shown(figures.under_corruption), 'under corruption (mPC)'))
        tiles.append(Tile(share(figures.relative), 'mPC ÷ P (rPC)'))
    for attack in figures.attacked:
        epsilon, value = list(figures.by_epsilon(attack).items())[-1]
        tiles.append(Tile(shown(value), f'under {attack.upper()}, ε = {epsilon:g}/255'))
    return tiles


def _corruptions(out: Path, figures: Figures) -> Section:
    drawn = []
    for family, names in FAMILIES.items():
        curves = [
            (name, [0, *values], [figures.performance, *values.values()])
            for name in names
            if name in figures.corrupted
            for values in [figures.by_severity(name)]
        ]
        if curves:
            file = charts.lines(
                out / f'{family}.png', curves, 'severity', figures.name, from_zero=True
            )
            drawn.append(Chart(file, f'{family.capitalize()}: {figures.name} by severity'))
    severities = list(next(iter(figures.corrupted.values())))
    rows: list[list[Cell]] = [
        [name, *figures.by_severity(name).values(), figures.of_corruption(name)]
        for name in figures.corrupted
    ]
    means = [figures.of_severity(severity) for severity in severities]
    rows.append(['mean', *means, figures.under_corruption])
    families: list[list[Cell]] = [[family, value] for family, value in figures.by_family().items()]
    note = (
        'The corruptions of COCO-C (Michaelis et al. 2019), before resizing. mPC is the mean over '
        'corruptions and severities, rPC = mPC ÷ P. Severity 0 is clean images.'
    )
    tables = [
        Table(['corruption', *map(str, severities), 'mean'], rows),
        Table(['family', 'mean'], families),
    ]
    return Section('corruptions', 'Common corruptions', note, drawn, tables)


def _attacks(out: Path, figures: Figures, request: Request) -> Section:
    curves = [
        (attack, list(values), list(values.values()))
        for attack in figures.attacked
        for values in [figures.by_epsilon(attack)]
    ]
    file = charts.lines(out / ATTACKED, curves, 'ε · 255', figures.name, from_zero=True)
    rows: list[list[Cell]] = [[name, *values] for name, _, values in curves]
    note = (
        'The network’s inputs, each pixel value changed by at most ε so that the model’s own loss '
        f'rises: FGSM in one step, PGD in {request.pgd_steps} from a random start. Values '
        'are not rounded to whole grey levels.'
    )
    table = Table(['attack', *(f'ε = {epsilon:g}/255' for epsilon in curves[0][1])], rows)
    chart = Chart(file, f'{figures.name} against ε, the largest change of a pixel value')
    return Section('attacks', 'Adversarial images', note, [chart], [table])
