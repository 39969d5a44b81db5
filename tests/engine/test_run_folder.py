"""What a work folder says about its run, and what is refused in one sentence."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.models import RetinaNet
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.registry import MODELS, init_default_scope

from effnet_dense import Predictor
from effnet_dense.data.config_walk import loop_datasets
from effnet_dense.engine.config import load_config
from effnet_dense.engine.jobs import test as evaluate
from effnet_dense.engine.jobs import train
from effnet_dense.engine.run_folder import (
    check_new,
    checkpoint_of,
    config_in,
    describe_run,
    is_run,
    open_run,
)
from effnet_dense.utils.saved_config import KEY, config_text
from effnet_dense.weights.safe import safe_load
from tests.helpers.tiny import narrow_retinanet, options, write_data
from tests.helpers.tiny_models import DETECTOR, SEGMENTOR

VALUES = options(epochs=2, **narrow_retinanet(), **{'train_cfg.val_interval': 1})


@pytest.fixture(scope='module')
def trained(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work folder of two epochs, at 64 pixels."""
    folder = tmp_path_factory.mktemp('run') / 'work'
    train(load_config(DETECTOR, tiny_data, VALUES, folder))
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy, which may be damaged."""
    return shutil.copytree(trained, tmp_path / 'run')


def change(path: Path, **entries: Any) -> None:
    """Change entries of a checkpoint's `meta`; None removes one."""
    checkpoint = safe_load(path)
    checkpoint['meta'] = {k: v for k, v in {**checkpoint['meta'], **entries}.items() if v}
    torch.save(checkpoint, path)


def test_a_folder_says_all(trained: Path, tiny_data: Path) -> None:
    found = open_run(trained)
    assert found.checkpoint == found.best == trained / 'best.pth'
    assert found.last == trained / 'epoch_2.pth'
    assert (found.name, found.classes) == (DETECTOR, ('square', 'bar'))
    assert (found.image_size, found.length, found.by_epoch) == ((64, 64), 2, True)
    assert Path(found.data or '') == tiny_data
    assert found.best_figure is not None and found.best_figure.metric == 'coco/bbox_mAP'
    assert open_run(trained, resume=True).finished
    assert str(open_run(trained, resume=True)).startswith(f'{DETECTOR}, epoch 2 of 2, 20')


def test_the_folder_alone_predicts_and_is_evaluated(
    trained: Path, tiny_data: Path, tmp_path: Path
) -> None:
    image = tiny_data / 'images' / 'val' / '0.png'
    by_folder, by_file = Predictor(trained, device='cpu'), Predictor(trained / 'best.pth', None)
    assert by_folder.dataset_meta['classes'] == ('square', 'bar')
    one, other = by_folder(image).pred_instances, by_file(image).pred_instances
    assert len(one) and torch.equal(one.bboxes, other.bboxes)
    config = load_config(trained, work_dir=tmp_path, splits=('val',))
    metrics = evaluate(config, str(checkpoint_of(trained)))
    best = open_run(trained).best_figure
    assert best is not None and metrics['coco/bbox_mAP'] == pytest.approx(best.value)


@pytest.mark.slow
def test_other_data_and_options_apply_to_it(trained: Path, tmp_path: Path) -> None:
    other = write_data(tmp_path / 'other', classes=('square', 'bar'))
    config = load_config(trained, other, {'train_cfg.max_epochs': 3}, splits=('train', 'val'))
    assert config.work_dir == str(trained) and config.train_cfg.max_epochs == 3
    assert Path(loop_datasets(config, 'train')[0].data_root) == other


@pytest.mark.slow
def test_it_resumes_by_itself(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(run, options={'train_cfg.max_epochs': 3})
    train(config, resume='auto')
    assert (run / 'epoch_3.pth').is_file()
    assert 'metainfo' not in capsys.readouterr().out, 'mmengine compares names and colours'


def test_a_new_training_needs_a_new_folder(run: Path, tiny_data: Path) -> None:
    match = f'already holds a training .{DETECTOR}, epoch 2 of 2, 20.*--resume.*--work-dir'
    with pytest.raises(FileExistsError, match=match):
        load_config(DETECTOR, run.parent / 'no data', work_dir=run, new=True)
    config = load_config(DETECTOR, tiny_data, VALUES, run)
    with pytest.raises(FileExistsError, match=match):
        train(config)


def test_logs_and_test_results_are_no_training(tmp_path: Path) -> None:
    (tmp_path / '20261128_200000').mkdir()
    (tmp_path / 'report').mkdir()
    check_new(tmp_path)
    check_new(tmp_path / 'missing')


def test_weights_of_others_are_no_training(trained: Path, tmp_path: Path) -> None:
    shutil.copy(trained / 'epoch_2.pth', tmp_path / 'pretrained.pth')
    check_new(tmp_path)


def test_classes_of_python_configs_are_their_registered_names() -> None:
    config = load_config(DETECTOR)
    config.model.type = RetinaNet
    config.train_dataloader.sampler.type = DefaultSampler
    config.optim_wrapper.clip_grad = dict(max_norm=math.inf)
    found = config_in({'meta': {KEY: config_text(config)}}, 'x.pth')
    assert found.model.type == 'mmdet.RetinaNet'
    assert found.train_dataloader.sampler.type == 'mmengine.DefaultSampler'
    assert found.optim_wrapper.clip_grad.max_norm == math.inf


def test_without_a_checkpoint(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no work folder of a training: .*\(\*\.pth\)'):
        open_run(tmp_path)
    with pytest.raises(FileNotFoundError, match='no work folder or checkpoint'):
        open_run(tmp_path / 'missing')
    with pytest.raises(FileNotFoundError, match=f'a run in folders: name one, {trained}'):
        open_run(trained.parent)
    with pytest.raises(ValueError, match='is neither a work folder nor a checkpoint: exp'):
        Predictor(DETECTOR)


def test_several_runs(tmp_path: Path, trained: Path) -> None:
    for number, name in enumerate(('one', 'two')):
        shutil.copy(trained / 'epoch_2.pth', tmp_path / f'{name}.pth')
        change(tmp_path / f'{name}.pth', experiment_name=f'{name}_20261128_20050{number}')
    with pytest.raises(ValueError, match=r'several runs: name one, one\.pth \(one\), two\.pth'):
        open_run(tmp_path)
    assert open_run(tmp_path / 'one.pth').name == 'one'
    assert open_run(tmp_path / 'one.pth').folder == Path('work_dirs', 'one'), 'not in downloads'


def test_a_damaged_one_names_the_others(run: Path) -> None:
    content = (run / 'best.pth').read_bytes()
    (run / 'best.pth').write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r'best\.pth.*; name another one of .*: .*epoch_2\.pth'):
        open_run(run)
    assert describe_run(run)


def test_others_checkpoints_need_a_config(run: Path) -> None:
    for entries in ({KEY: None}, {KEY: '[1]'}):
        change(run / 'best.pth', **entries)
        with pytest.raises(ValueError, match=r'give the config, too|expected a JSON object'):
            open_run(run)
    torch.save({'a': torch.ones(1)}, run / 'best.pth')
    with pytest.raises(ValueError, match='does not say with which config'):
        open_run(run)


@pytest.mark.parametrize(
    'entry',
    [
        dict(custom_hooks=[dict(type='os.system', command='touch hacked')]),
        dict(model=dict(type='subprocess.check_call', args=['touch', 'hacked'])),
        dict(runner_type='os.system'),
    ],
)
def test_a_checkpoint_cannot_execute(
    entry: dict[str, Any], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    saved = json.loads(safe_load(run / 'best.pth')['meta'][KEY])
    change(run / 'best.pth', **{KEY: json.dumps({**saved, **entry})})
    shutil.copy(run / 'best.pth', run / 'epoch_2.pth')
    for use in (open_run, Predictor, load_config):
        with pytest.raises(ValueError, match='is no registered name'):
            use(run)  # type: ignore[operator]
    assert not (run / 'hacked').exists()


def test_imports_of_a_checkpoint_are_dropped(run: Path) -> None:
    saved = json.loads(safe_load(run / 'best.pth')['meta'][KEY])
    saved['custom_imports'] = dict(imports=['this_module_is_missing'])
    change(run / 'best.pth', **{KEY: json.dumps(saved)})
    assert open_run(run).config.custom_imports == dict(
        imports=['effnet_dense'], allow_failed_imports=False
    )


def test_a_config_of_the_name_of_a_folder_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir(DETECTOR)
    assert is_run(DETECTOR)
    assert load_config(DETECTOR).model.type == 'RetinaNet'


@pytest.mark.parametrize('name', [DETECTOR, SEGMENTOR, 'effnet_b0_rtmdet_ins_coco'])
def test_configs_survive_as_data(name: str) -> None:
    """The sizes that transforms read are tuples again, and the model is the same."""
    config = load_config(name)
    found = config_in({'meta': {KEY: config_text(config)}}, 'x.pth')
    init_default_scope(found.default_scope)
    with torch.device('meta'):
        shapes = [
            {k: v.shape for k, v in MODELS.build(each.model).state_dict().items()}
            for each in (config, found)
        ]
    assert shapes[0] == shapes[1]
    assert sizes(found) == sizes(config)


def sizes(config: Config) -> list[Any]:
    """The sizes of the training's transforms."""
    steps = loop_datasets(config, 'train')[0].pipeline
    return [step.get(key) for step in steps for key in ('scale', 'img_scale', 'crop_size')]
