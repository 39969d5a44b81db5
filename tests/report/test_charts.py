"""What charts show, read from matplotlib's artists."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from effnet_dense.report import charts

NAN = float('nan')
ONES = np.ones(101)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Axes]:
    """The axes of charts, in the place of files."""
    kept: list[Axes] = []

    def keep(figure: Figure, path: Path) -> Path:
        kept.extend(figure.axes)
        return path

    monkeypatch.setattr(charts, 'save', keep)
    return kept


def legend(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def heights(bars: BarContainer) -> np.ndarray:
    return np.array([bar.get_height() for bar in bars])


def test_equal_charts_are_equal_transparent_files(tmp_path: Path) -> None:
    files = [
        charts.lines(tmp_path / name, [('loss', [1, 2], [3.0, 2.0])], 'step')
        for name in ('a.png', 'b.png')
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    image = cv2.imread(str(files[0]), cv2.IMREAD_UNCHANGED)
    assert image.shape[2] == 4 and image[0, 0, 3] == 0


def test_curves(drawn: list[Axes]) -> None:
    curves = [('loss', [1, 2, 4], [3.0, 2.0, 1.0]), ('lr', list(range(40)), [0.1] * 40)]
    charts.lines(Path(), curves, 'step', 'value')
    (axes,) = drawn
    first, second = axes.lines
    assert first.get_xydata().tolist() == [[1, 3], [2, 2], [4, 1]]
    assert first.get_linewidth() > second.get_linewidth()
    assert (first.get_marker(), second.get_marker()) == ('o', 'None'), 'points of few steps'
    assert legend(axes) == ['loss', 'lr']
    assert (axes.get_xlabel(), axes.get_ylabel()) == ('step', 'value')


def test_a_single_epoch_has_one_tick(drawn: list[Axes]) -> None:
    charts.lines(Path(), [('mAP', [8], [0.5])], 'epoch')
    low, high = drawn[0].get_xlim()
    assert [tick for tick in drawn[0].get_xticks() if low <= tick <= high] == [8]


def test_precision_over_recall_names_classes_by_their_ap(drawn: list[Axes]) -> None:
    # AP 0.25, none without ground truth, AP 0.75: the mean is 0.5.
    precision = np.stack([0.25 * ONES, -ONES, 0.75 * ONES], 1)
    charts.precision_recall(Path(), precision, ['ant', 'bee', 'cat'])
    assert legend(drawn[0]) == ['cat  0.75', 'ant  0.25', 'mean  0.50']
    assert [line.get_ydata()[0] for line in drawn[0].lines] == [0.75, 0.25, 0.5]
    charts.precision_recall(Path(), precision[:, :1], ['ant'])
    assert legend(drawn[1]) == ['ant  0.25'], 'no mean of one class'


def test_of_many_classes_the_best_and_the_worst_are_named(drawn: list[Axes]) -> None:
    count = charts.FEW + 2
    precision = np.outer(ONES, np.arange(count) / 100)
    charts.precision_recall(Path(), precision, [str(index) for index in range(count)])
    named = [text.split()[0] for text in legend(drawn[0])]
    assert named == ['11', '10', '9', '8', '7', '4', '3', '2', '1', '0', 'mean']
    assert len(drawn[0].lines) == count + charts.FEW + 1, 'the others are grey'


@pytest.mark.parametrize('count', [3, 30])
def test_a_class_looks_the_same_in_all_charts(drawn: list[Axes], count: int) -> None:
    """In whatever order the classes are, by AP or by F1."""
    names = [f'class{index}' for index in range(count)]
    values = np.outer(ONES, np.arange(1, count + 1) / 100)
    charts.precision_recall(Path(), values, names)
    charts.confidence(Path(), np.linspace(0, 1, 101), values[:, ::-1], ONES, names, 'F1')
    looks: dict[str, set[tuple[object, object]]] = {}
    for axes in drawn:
        for line in axes.lines:
            name = str(line.get_label()).split()[0]
            if name in names:
                looks.setdefault(name, set()).add((line.get_color(), line.get_linestyle()))
    assert len(looks) == min(count, charts.FEW)
    assert {len(found) for found in looks.values()} == {1}, looks
    assert len(set().union(*looks.values())) == len(looks), 'no two look alike'


def test_looks_of_classes_differ() -> None:
    looks = {tuple(charts.class_style(label).values()) for label in range(176)}
    assert len(looks) == 176


def test_colours_are_far_apart() -> None:
    """In CIELAB, where 2.3 is a difference that is seen."""
    colours = np.array([[to_rgb(colour) for colour in charts.COLOURS]], np.float32)
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[0]
    distances = np.linalg.norm(lab[:, None] - lab, axis=2) + 1000 * np.eye(len(lab))
    assert distances.min() > 25 and (lab[:, 0] > 35).all() and (lab[:, 0] < 80).all()


def test_sizes_are_shares(drawn: list[Axes]) -> None:
    charts.sizes(Path(), np.array([10.0, 10, 10, 200]), np.array([50.0, 50]))
    truth, found = drawn[0].containers
    assert sorted(height for height in heights(truth) if height) == [0.25, 0.75]
    assert [height for height in heights(found) if height] == [1]
    assert legend(drawn[0]) == ['truth (4)', 'prediction (2)']
    assert [line.get_xdata()[0] for line in drawn[0].lines] == [32, 96]
    charts.sizes(Path(), np.zeros(0), np.zeros(0))
    assert legend(drawn[1]) == ['truth (0)', 'prediction (0)']


def test_scores_are_stacked_counts(drawn: list[Axes]) -> None:
    charts.scores(Path(), np.array([0.9, 0.9]), np.array([0.9, 0.1, 0.1]), threshold=0.3)
    right, wrong = drawn[0].containers
    assert heights(right).sum() == 2 and heights(wrong).sum() == 3
    assert heights(right)[36] == 2 and heights(wrong)[[4, 36]].tolist() == [2, 1]
    assert legend(drawn[0])[:2] == ['right (2)', 'wrong (3)']
    assert drawn[0].lines[0].get_xdata()[0] == 0.3


def test_bars_are_sorted_and_leave_out_nan(drawn: list[Axes]) -> None:
    charts.bars(Path(), ['ant', 'bee', 'cat', 'dog'], np.array([0.2, NAN, 0.9, 0.4]), 'IoU')
    axes = drawn[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ['cat', 'dog', 'ant']
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [bar.get_width() for bar in bars] == [0.9, 0.4, 0.2]
    assert [text.get_text() for text in axes.texts] == ['0.90', '0.40', '0.20']
    # The mean is 0.5.
    assert len({bar.get_facecolor() for bar in bars[1:]}) == 1
    assert bars[0].get_facecolor() != bars[1].get_facecolor()


def test_no_grid_line_crosses_the_numbers_at_bars(tmp_path: Path) -> None:
    shown = {}
    for bars in ('barh', 'bar'):
        figure, axes = charts.new_figure()
        getattr(axes, bars)([0, 1], [2, 1])
        charts.save(figure, tmp_path / f'{bars}.png')
        shown[bars] = [
            any(line.get_visible() for line in axis.get_gridlines())
            for axis in (axes.xaxis, axes.yaxis)
        ]
    assert shown == {'barh': [True, False], 'bar': [True, True]}


def test_of_many_bars_the_best_and_the_worst_are_drawn(drawn: list[Axes]) -> None:
    count = charts.BARS + 5
    charts.bars(Path(), [str(index) for index in range(count)], np.arange(count) / count, 'IoU')
    names = [int(text.get_text()) for text in drawn[0].get_yticklabels()]
    assert names == [*range(44, 24, -1), *range(19, -1, -1)]


def test_the_most_confused_classes() -> None:
    # Class 3 is always right, class 0 is taken for 1 half the time, 2 for 0 in a tenth of cases.
    matrix = np.array([[5, 5, 0, 0], [0, 9, 0, 0], [1, 0, 9, 0], [0, 0, 0, 7]])
    assert charts.most_confused(matrix, 2).tolist() == [0, 1]
    assert charts.most_confused(matrix, 3).tolist() == [0, 1, 2]
    assert charts.most_confused(matrix, 4).tolist() == [0, 1, 2, 3]


def test_confusions_are_shares_of_the_truth(drawn: list[Axes]) -> None:
    matrix = np.array([[3, 1], [0, 0]])
    charts.confusion(Path(), matrix, ['ant', 'bee'])
    (shown,) = drawn[0].images
    assert np.asarray(shown.get_array()).tolist() == [[0.75, 0.25], [0, 0]]
    assert [text.get_text() for text in drawn[0].texts] == ['75%', '25%']
    assert [text.get_text() for text in drawn[0].get_yticklabels()] == ['ant', 'bee']
