"""Config files, data folders and options → configs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from effnet_dense.engine import config as engine
from effnet_dense.engine.config import (
    apply_options,
    find_config,
    load_config,
    resume_from,
    scale_learning_rate,
    show_in,
    use_amp,
)

B3 = 'effnet_b3_retinanet_coco'


def test_a_path_and_a_name_find_the_same_config(repository: Path) -> None:
    path = repository / 'configs' / f'{B3}.py'
    assert find_config(path) == path
    for name in (B3, f'{B3}.py', f'configs/{B3}.py'):
        assert find_config(name).samefile(path)


def test_an_installed_package_finds_its_configs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'some_config.py').write_text('x = 1')
    monkeypatch.setattr(engine, 'SHIPPED', (tmp_path, tmp_path / 'absent'))
    assert find_config('some_config') == tmp_path / 'some_config.py'


def test_an_unknown_config_lists_near_names() -> None:
    with pytest.raises(FileNotFoundError, match=r"'configs/efnet_b3_retina.py'.*effnet_b3_retina"):
        find_config('configs/efnet_b3_retina.py')
    with pytest.raises(FileNotFoundError, match='my_configs'):
        find_config(f'my_configs/{B3}.py')


def test_a_broken_config_is_said(tmp_path: Path) -> None:
    (tmp_path / 'broken.py').write_text('model = dict(')
    with pytest.raises(ValueError, match=r'broken\.py is not a config'):
        load_config(tmp_path / 'broken.py')


def test_work_dir_is_named_after_the_config(tmp_path: Path) -> None:
    assert load_config(B3).work_dir == f'work_dirs/{B3}'
    assert load_config(B3, options={'work_dir': 'elsewhere'}).work_dir == 'elsewhere'
    assert load_config(B3, work_dir=tmp_path).work_dir == str(tmp_path)


def test_options_win_over_the_data_folder(tiny_data: Path) -> None:
    config = load_config(B3, data=tiny_data)
    assert config.model.bbox_head.num_classes == 2
    config = load_config(B3, data=tiny_data, options={'model.bbox_head.num_classes': 7})
    assert config.model.bbox_head.num_classes == 7


def test_options_reach_into_lists() -> None:
    config = load_config(B3, options={'train_dataloader.dataset.pipeline.3.crop_size': (64, 64)})
    assert config.train_dataloader.dataset.pipeline[3].crop_size == (64, 64)


@pytest.mark.parametrize(
    ('key', 'quoted'),
    [
        ('optim_wraper.optimizer.lr', r"'optim_wraper'; did you mean optim_wrapper"),
        ('train_dataloader.dataset.pipeline.17.scale', 'pipeline.17.scale'),
    ],
)
def test_an_option_that_fits_nothing_is_an_error(key: str, quoted: str) -> None:
    with pytest.raises(ValueError, match=quoted):
        load_config(B3, options={key: 1})


def test_options_of_the_runner_need_not_be_in_the_file() -> None:
    config = Config(dict(model=dict()))
    apply_options(config, {'randomness.seed': 3, 'find_unused_parameters': True})
    assert config.randomness.seed == 3


def test_amp_is_bfloat16_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(B3)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    use_amp(config)
    assert config.optim_wrapper.type == 'CPUAmpOptimWrapper'
    assert 'loss_scale' not in config.optim_wrapper
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    use_amp(config)
    assert config.optim_wrapper.type == 'AmpOptimWrapper'
    assert config.optim_wrapper.loss_scale == 'dynamic'


def test_auto_scale_needs_a_base_batch_size() -> None:
    config = load_config(B3)
    assert not config.auto_scale_lr.enable
    scale_learning_rate(config)
    assert config.auto_scale_lr == dict(enable=True, base_batch_size=32)
    with pytest.raises(ValueError, match='base_batch_size'):
        scale_learning_rate(Config(dict()))


def test_resume_auto_and_from_a_file(tmp_path: Path) -> None:
    config = Config(dict(load_from='weights.pth'))
    resume_from(config, 'auto')
    assert config.resume and config.load_from is None
    (tmp_path / 'epoch_1.pth').touch()
    resume_from(config, str(tmp_path / 'epoch_1.pth'))
    assert config.load_from == str(tmp_path / 'epoch_1.pth')
    with pytest.raises(FileNotFoundError, match='epoch_2'):
        resume_from(config, str(tmp_path / 'epoch_2.pth'))


def test_show_dir_takes_the_place_of_the_visualization_hook(tmp_path: Path) -> None:
    config = Config(dict(default_hooks=dict(visualization=dict(type='Any', score_thr=0.1))))
    show_in(config, tmp_path)
    hook = config.default_hooks.visualization
    assert (hook.type, hook.score_thr) == ('effnet_dense.PicturesHook', 0.1)
    assert (hook.folder, hook.count) == (str(tmp_path), None)
    bare = Config(dict())
    show_in(bare, tmp_path, count=20)
    assert bare.default_hooks.visualization.count == 20
