"""Configs, tools and the model index, in a checkout; tests/test_packaging.py has the wheel."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.utils import shipped


def test_parts(repository: Path) -> None:
    for part in ('configs', 'tools', 'model-index.yml'):
        assert shipped.shipped(part) == repository / part
    configs = sorted((repository / 'configs').glob('*.py'))
    assert shipped.shipped_configs() == {path.stem: path for path in configs}


def test_a_wheels_folder_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel, checkout = tmp_path / '.mim', tmp_path / 'checkout'
    monkeypatch.setattr(shipped, 'PLACES', (wheel, checkout))
    with pytest.raises(FileNotFoundError, match=r'has no configs: expected it in .*\.mim'):
        shipped.shipped('configs')
    assert shipped.shipped_configs() == {}
    (checkout / 'configs').mkdir(parents=True)
    assert shipped.shipped('configs') == checkout / 'configs'
    (wheel / 'configs').mkdir(parents=True)
    assert shipped.shipped('configs') == wheel / 'configs'


def test_links_out_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'outside.py').write_text('', encoding='utf-8')
    (tmp_path / 'configs' / 'link.py').symlink_to(tmp_path / 'outside.py')
    monkeypatch.setattr(shipped, 'PLACES', (tmp_path,))
    with pytest.raises(FileNotFoundError, match="no config 'link'"):
        shipped.shipped_config('link')
