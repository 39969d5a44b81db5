"""A planned config inherits a shipped one and amounts to what was planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from effnet_dense.analysis.plan.recipes import (
    RECIPES,
    Recipe,
    Schedule,
    Size,
    base_config,
    set_backbone,
    set_schedule,
    set_size,
)
from effnet_dense.analysis.plan.written import (
    RUN_KEYS,
    check_new,
    config_text,
    differences,
    write_config,
)
from effnet_dense.engine.config import load_config


def planned(recipe: Recipe, augmentation: str = 'jitter') -> Config:
    config = base_config(recipe, augmentation)
    set_backbone(config, recipe, 'b1')
    set_size(config, Size((384, 288), (256, 352)))
    set_schedule(config, recipe, Schedule(340, 17), 4)
    return config


def plain(value: Any) -> Any:
    """Tuples as lists: mmengine does not tell them apart."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize('augmentation', ['jitter', 'mosaic', 'copy-paste'])
@pytest.mark.parametrize('recipe', RECIPES, ids=lambda recipe: recipe.label)
def test_the_file_is_the_plan(recipe: Recipe, augmentation: str, tmp_path: Path) -> None:
    path = tmp_path / 'plan.py'
    name, base = recipe.with_augmentation(augmentation), base_config(recipe, augmentation)
    config = planned(recipe, augmentation)
    write_config(path, config_text('Why.', name, base, config))
    read = load_config(path)
    for key in RUN_KEYS:
        assert plain(read.to_dict().get(key)) == plain(config.to_dict().get(key)), key
    assert name in path.read_text(encoding='utf-8')
    assert len(path.read_text(encoding='utf-8')) < 6000


VALUES = st.recursive(
    st.integers(0, 3) | st.booleans() | st.none() | st.text('ab', max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(['a', 'b', 'c']), inner, max_size=3)
    ),
    max_leaves=6,
)
TREES = st.dictionaries(st.sampled_from(['a', 'b', 'c']), VALUES, max_size=3)


@given(TREES, TREES)
@settings(max_examples=50, deadline=None)
def test_merging_the_differences_gives_the_other(
    base: dict[str, Any], more: dict[str, Any]
) -> None:
    target = {**base, **more}
    merged = Config._merge_a_into_b(differences(base, target), base)
    assert merged == target


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / 'mine.py'
    path.write_text('a = 1\n', encoding='utf-8')
    for action in (lambda: check_new(path), lambda: write_config(path, 'b = 2\n')):
        with pytest.raises(FileExistsError, match='choose another name'):
            action()
    assert path.read_text(encoding='utf-8') == 'a = 1\n'
    with pytest.raises(ValueError, match=r'expects a name with \.py'):
        check_new(tmp_path / 'mine.txt')
