"""Which result decides, and that `best.pth` holds the weights of the best validation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.registry import RUNNERS

from effnet_dense.engine.hooks.best import Best, best_in, followed_metric, is_better, saved_best
from effnet_dense.engine.resume.checkpoints import find_complete_checkpoint
from effnet_dense.engine.runner import Runner
from effnet_dense.weights.safe import safe_load
from tests.helpers import resumable


@pytest.fixture(scope='module', autouse=True)
def quick() -> Iterator[None]:
    """Without the time that a config's text takes."""
    patch = resumable.plain_config_text()
    yield
    patch.undo()


@pytest.mark.parametrize(
    'names, chosen',
    [
        (['coco/bbox_mAP', 'coco/bbox_mAP_50', 'coco/segm_mAP'], 'coco/segm_mAP'),
        (['coco/bbox_mAP', 'coco_panoptic/PQ'], 'coco_panoptic/PQ'),
        (['aAcc', 'mIoU', 'mAcc'], 'mIoU'),
        (['pascal_voc/AP50', 'pascal_voc/mAP'], 'pascal_voc/mAP'),
        (['own/figure', 'own/other'], 'own/figure'),
        ([], None),
    ],
)
def test_the_result_that_decides(names: list[str], chosen: str | None) -> None:
    assert followed_metric(dict.fromkeys(names, 0.5)) == chosen


def test_losses_fall_and_others_rise() -> None:
    assert is_better(0.2, 0.3, 'val/loss') and not is_better(0.3, 0.2, 'val/loss')
    assert is_better(0.3, 0.2, 'coco/bbox_mAP') and not is_better(0.2, 0.2, 'coco/bbox_mAP')


@pytest.mark.parametrize(
    'entry', [None, 3, {}, dict(metric='x', value='1', step=1), dict(metric='x', value=1.0)]
)
def test_entries_of_others_say_nothing(entry: Any) -> None:
    assert best_in({'effnet_dense_best': entry}) is None


class Given(BaseMetric):
    """Returns figures that are given."""

    default_prefix = 'own'

    def __init__(self, figures: list[float]) -> None:
        super().__init__()
        self.figures = figures

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Collect something."""
        self.results.append(1)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Return the next figure."""
        return {'mAP': self.figures.pop(0)}


def build(data: Path, work_dir: Path, figures: list[float], **changes: Any) -> Runner:
    changes = {
        'train_cfg.max_epochs': len(figures),
        'default_hooks.checkpoint.max_keep_ckpts': 1,
        **changes,
    }
    runner = RUNNERS.build(resumable.config(data, work_dir, **changes))
    _ = runner.val_loop
    evaluator = Evaluator([Given(figures)])
    evaluator.dataset_meta = runner.val_evaluator.dataset_meta
    runner._val_loop.evaluator = evaluator
    return runner


def test_the_best_weights_stay_and_are_evaluated(tiny_data: Path, tmp_path: Path) -> None:
    runner = build(tiny_data, tmp_path, [-1.0, 0.5, 0.25])
    runner.train()
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['best.pth', 'epoch_3.pth']
    assert saved_best(tmp_path / 'best.pth') == Best('own/mAP', 0.5, 2)
    last, best = (safe_load(tmp_path / name) for name in ('epoch_3.pth', 'best.pth'))
    assert (best['meta']['epoch'], last['meta']['epoch']) == (2, 3)
    assert 'optimizer' not in best
    changed = [
        k for k, v in best['state_dict'].items() if not torch.equal(v, last['state_dict'][k])
    ]
    assert changed, 'weights of another epoch'
    assert find_complete_checkpoint(tmp_path) == tmp_path / 'epoch_3.pth'


@pytest.mark.slow
def test_a_resumed_run_keeps_it_unless_it_is_better(tiny_data: Path, tmp_path: Path) -> None:
    build(tiny_data, tmp_path, [0.5]).train()
    # The first figure is that of the epoch before, which is validated again.
    figures = [0.5, 0.25]
    build(tiny_data, tmp_path, figures, **{'resume': True, 'train_cfg.max_epochs': 2}).train()
    assert not figures
    assert saved_best(tmp_path / 'best.pth') == Best('own/mAP', 0.5, 1)
    figures = [0.25, 0.75]
    build(tiny_data, tmp_path, figures, **{'resume': True, 'train_cfg.max_epochs': 3}).train()
    assert saved_best(tmp_path / 'best.pth') == Best('own/mAP', 0.75, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    'hook, names',
    [
        (dict(save_best='auto'), ['best_own_mAP_epoch_2.pth', 'epoch_2.pth']),
        (dict(save_best=[]), ['epoch_2.pth']),
    ],
)
def test_what_a_config_sets_counts(
    hook: dict[str, Any], names: list[str], tiny_data: Path, tmp_path: Path
) -> None:
    changes = {f'default_hooks.checkpoint.{key}': value for key, value in hook.items()}
    build(tiny_data, tmp_path, [0.25, 0.5], **changes).train()
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == names


def test_a_foreign_file_of_the_name_stays(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / 'best.pth').write_text('mine', encoding='utf-8')
    with pytest.raises(FileExistsError, match=r'best\.pth'):
        build(tiny_data, tmp_path, [0.5]).train()
    assert (tmp_path / 'best.pth').read_text(encoding='utf-8') == 'mine'


def test_figures_that_are_none_decide_nothing() -> None:
    entry = dict(metric='x', value=math.nan, step=1)
    assert best_in({'effnet_dense_best': entry}) is None
