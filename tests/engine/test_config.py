"""Config files, data folders and options → configs."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from effnet_dense.engine.config import apply_options, find_config, load_config
from effnet_dense.utils import shipped
from tests.helpers.config_text import FORMATTER, YAPFS_OWN

B3 = 'effnet_b3_retinanet_coco'


def test_a_path_and_a_name_find_the_same_config(repository: Path) -> None:
    path = repository / 'configs' / f'{B3}.py'
    assert find_config(path) == path
    for name in (B3, f'{B3}.py', f'configs/{B3}.py'):
        assert find_config(name).samefile(path)


def test_an_installed_package_finds_its_configs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'configs' / 'some_config.py'
    path.parent.mkdir()
    path.write_text('x = 1', encoding='utf-8')
    monkeypatch.setattr(shipped, 'PLACES', (tmp_path, tmp_path / 'absent'))
    assert find_config('some_config') == path


def test_formatted_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By yapf, which other tests do without: the text has the same values."""
    monkeypatch.setattr(FORMATTER, 'FormatCode', YAPFS_OWN)
    config = load_config(B3)
    config.dump(tmp_path / 'formatted.py')
    lines = (tmp_path / 'formatted.py').read_text(encoding='utf-8').splitlines()
    assert max(map(len, lines)) < 80
    assert Config.fromfile(tmp_path / 'formatted.py').to_dict() == config.to_dict()


def test_an_unknown_config_lists_near_names() -> None:
    with pytest.raises(FileNotFoundError, match=r"'configs/efnet_b3_retina.py'.*effnet_b3_retina"):
        find_config('configs/efnet_b3_retina.py')
    with pytest.raises(FileNotFoundError, match='my_configs'):
        find_config(f'my_configs/{B3}.py')


def test_a_broken_config_is_reported(tmp_path: Path) -> None:
    (tmp_path / 'broken.py').write_text('model = dict(', encoding='utf-8')
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
