"""`effnet-dense robustness` on tiny models, from its words to its page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from effnet_dense.commands.main import main
from effnet_dense.engine.config import load_config
from effnet_dense.robustness.attacker import Attacker
from effnet_dense.robustness.session import Session
from effnet_dense.robustness.truth import truths_of
from tests.helpers.tiny import as_arguments, narrow_retinanet, options
from tests.helpers.tiny_models import DETECTOR, saved
from tests.helpers.trained import SMALL_SEGMENTOR, write_label_maps

VALUES = {**options(), **narrow_retinanet(), 'model.test_cfg.max_per_img': 5}
QUICK = ['--severities', '2', '--epsilons', '2', '--pgd-steps', '2', '--pictures', '1']


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Every command makes loggers."""


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained detector of the tiny data's classes."""
    config = load_config(DETECTOR, options=VALUES)
    path = tmp_path_factory.mktemp('saved') / 'epoch_1.pth'
    return saved(config, path, ('square', 'bar'))


def call(*words: object) -> int:
    return main([str(word) for word in words])


def test_a_detector(
    checkpoint: Path, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [DETECTOR, checkpoint, '--data', tiny_data, '--work-dir', tmp_path]
    words = ['--corruptions', 'fog', 'pixelate', *QUICK, *as_arguments(VALUES)]
    assert call('robustness', *given, *words) == 0
    shown = capsys.readouterr().out
    assert 'fog ' in shown and 'pgd ' in shown and '2 images: clean AP (P) ' in shown
    out = tmp_path / 'robustness'
    found = json.loads((out / 'robustness.json').read_text(encoding='utf-8'))
    assert found['metric'] == 'coco/bbox_mAP' and found['images'] == 2
    assert list(found['corruptions']) == ['fog', 'pixelate'] and list(found['attacks']) == [
        *('fgsm', 'pgd')
    ]
    page = (out / 'index.html').read_text(encoding='utf-8')
    assert 'Common corruptions' in page and 'Adversarial images' in page
    assert page.count('data:image/jpeg') == 4 and page.count('data:image/png') == 3
    # A second run draws less, and removes what it does not draw.
    again = [*given, '--corruptions', 'none', *QUICK, '--max-images', 1, *as_arguments(VALUES)]
    assert call('robustness', *again, '--attacks', 'fgsm') == 0
    assert [path.name for path in (out / 'stress_images').glob('*.jpg')] == ['fgsm_1.jpg']
    once = json.loads((out / 'robustness.json').read_text(encoding='utf-8'))
    assert once['images'] == 1 and once['mPC'] is None and once['corruptions'] == {}


def test_averages_of_weights_are_those_of_the_checkpoint(checkpoint: Path, tiny_data: Path) -> None:
    averages = [dict(type='EMAHook', momentum=0.1)]
    plain, averaged = (
        _session(checkpoint, tiny_data, **each) for each in ({}, {'custom_hooks': averages})
    )
    assert plain.model.state_dict().keys() == averaged.model.state_dict().keys()
    for name, value in plain.model.state_dict().items():
        torch.testing.assert_close(averaged.model.state_dict()[name], value, rtol=0, atol=0)


@pytest.fixture
def refusal(
    checkpoint: Path,
    tiny_data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], str]:
    """What a stress test prints that is refused before its first evaluation."""

    def refused() -> str:
        monkeypatch.setattr(Session, 'evaluate', None)
        given = [DETECTOR, checkpoint, '--data', tiny_data, '--work-dir', tmp_path]
        words = ['--corruptions', 'fog', *QUICK, *as_arguments(VALUES)]
        assert call('robustness', *given, *words) == 2
        return capfd.readouterr().err

    return refused


@pytest.mark.parametrize('name', ['stress_images/fog.jpg', 'stress_images/fgsm_1.jpg'])
def test_foreign_files_are_found_first(
    name: str, tmp_path: Path, refusal: Callable[[], str]
) -> None:
    file = tmp_path / 'robustness' / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b'mine')
    assert 'refusing to replace' in refusal()
    assert file.read_bytes() == b'mine'


def test_small_images_are_found_first(
    refusal: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('effnet_dense.data.transforms.corruption.SMALLEST', 65)
    assert 'at least 65 pixels, got an image of 64 × 64: leave it out' in refusal()


@pytest.mark.parametrize('attack', ['fgsm', 'pgd'])
def test_the_loss_rises_and_the_ball_holds(attack: str, checkpoint: Path, tiny_data: Path) -> None:
    session = _session(checkpoint, tiny_data)
    batch = next(iter(session.loader(truth_first=True)))
    attacker = Attacker(session.model, attack, 4.0, steps=3)
    clean, changed, samples = attacker.attacked(batch)
    truths = truths_of(session.model, samples, clean)
    with torch.no_grad():
        losses = [
            float(session.model.parse_losses(session.model.loss(each, truths))[0])
            for each in (clean, changed)
        ]
    assert losses[1] > losses[0]
    moved = (changed - clean).abs().max() * 127.5  # std of the config
    assert moved == pytest.approx(4.0, abs=1e-3)
    pixels = changed * 127.5 + 127.5
    assert pixels.min() > -1e-3 and pixels.max() < 255 + 1e-3
    torch.testing.assert_close(attacker.attacked(batch)[1], changed, rtol=0, atol=0)


def test_boxes_of_the_loss_are_in_the_resized_image(checkpoint: Path, tiny_data: Path) -> None:
    """Images of 64 pixels are resized to 96: boxes grow with them."""
    values = {f'{loop}_dataloader.dataset.pipeline.1.scale': (96, 96) for loop in ('val', 'test')}
    session = _session(checkpoint, tiny_data, **values)
    sample = session.loader(truth_first=True).dataset[0]['data_samples']
    sides = sample.gt_instances.bboxes.tensor.numpy() @ [[-1, 0], [0, -1], [1, 0], [0, 1]]
    assert np.allclose(sorted(sides[:, 0]), [8 * 1.5, 24 * 1.5])


def test_a_subset_counts_its_own_objects(checkpoint: Path, tiny_data: Path) -> None:
    session = _session(checkpoint, tiny_data, max_images=1)
    session.evaluate(session.loader())
    (metric,) = session.runner.test_evaluator.metrics
    assert metric.img_ids == [1]


def test_a_stopped_run_leaves_its_figures(
    checkpoint: Path, tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = iter([{'coco/bbox_mAP': 0.5}, {'coco/bbox_mAP': 0.25}])

    def evaluate(*_: Any, **__: Any) -> dict[str, float]:
        try:
            return next(results)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr(Session, 'evaluate', evaluate)
    given = [DETECTOR, checkpoint, '--data', tiny_data, '--work-dir', tmp_path]
    words = ['--corruptions', 'fog', 'contrast', '--severities', '3', '--attacks', 'none']
    assert call('robustness', *given, *words, *as_arguments(VALUES)) == 130
    found = json.loads((tmp_path / 'robustness' / 'robustness.json').read_text(encoding='utf-8'))
    assert found['P'] == 0.5 and found['corruptions'] == {'fog': 0.25}


def test_a_segmentor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, data = 'effnet_lite0_fpn_camvid', write_label_maps(tmp_path / 'data')
    path = saved(
        load_config(name, options=SMALL_SEGMENTOR),
        tmp_path / 'iter_1.pth',
        ('left', 'middle', 'right'),
    )
    given = [name, path, '--data', data, '--work-dir', tmp_path / 'run']
    words = ['--corruptions', 'contrast', *QUICK, *as_arguments(SMALL_SEGMENTOR)]
    assert call('robustness', *given, *words) == 0
    assert '2 images: clean mIoU (P) ' in capsys.readouterr().out
    found = json.loads((tmp_path / 'run' / 'robustness' / 'robustness.json').read_text('utf-8'))
    assert found['metric'] == 'mIoU' and found['attacks']['fgsm'].keys() == {'0.0', '2.0'}


@pytest.mark.parametrize(
    ('words', 'match'),
    [
        (['--severities', '0'], 'at least 1, at most 5, got'),
        (['--epsilons', '-1'], '--epsilons'),
        (['--corruptions', 'foggy'], "(nearest: 'fog')"),
        (['--corruptions', 'none', '--attacks', 'none'], 'got neither'),
        (['--corruptions', 'none', 'fog'], 'or none alone'),
        (['--metric', 'mIoU', '--attacks', 'none'], "no metric 'mIoU'"),
        (['--launcher', 'pytorch'], 'without --launcher'),
    ],
)
def test_what_is_refused(
    words: list[str],
    match: str,
    checkpoint: Path,
    tiny_data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    given = [DETECTOR, checkpoint, '--data', tiny_data, '--work-dir', tmp_path]
    try:
        status = call('robustness', *given, *words, *as_arguments(VALUES))
    except SystemExit as stop:
        status = stop.code  # type: ignore[assignment]
    assert status == 2
    assert match in capfd.readouterr().err


def test_without_a_loss_nothing_is_evaluated(
    checkpoint: Path, tiny_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [DETECTOR, checkpoint, '--data', tiny_data, '--work-dir', tmp_path]
    values = {**VALUES, 'model.train_cfg': None}
    assert call('robustness', *given, '--corruptions', 'fog', *as_arguments(values)) == 2
    shown = capfd.readouterr()
    assert 'no model.train_cfg in the config' in shown.err and 'clean' not in shown.out


def test_exported_files_are_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / 'model.onnx').write_bytes(b'')
    assert call('robustness', tmp_path / 'model.onnx') == 2
    assert 'is an exported file: test the checkpoint it was made of' in capfd.readouterr().err


def test_errors_of_the_config_are_one_line(checkpoint: Path, tiny_data: Path) -> None:
    session = _session(checkpoint, tiny_data)
    loader = session.loader()

    def fails(batch: Any) -> list[Any]:
        raise TypeError('no such shape')

    with pytest.raises(ValueError, match='the first step of the test failed: no such shape'):
        session.evaluate(loader, fails)
    session.evaluate(loader)
    with pytest.raises(TypeError, match=r'^no such shape$'):  # of the package, not of the config
        session.evaluate(loader, fails)


def _session(checkpoint: Path, data: Path, max_images: int | None = None, **values: Any) -> Session:
    config = load_config(DETECTOR, data=str(data), options={**VALUES, **values}, splits=('val',))
    config.work_dir = str(checkpoint.parent / 'work')
    return Session(config, str(checkpoint), max_images)
