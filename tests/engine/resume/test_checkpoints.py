"""A kill at any moment of saving leaves a complete checkpoint, and it is found."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mmengine.registry import RUNNERS

from effnet_dense.engine.resume.checkpoints import find_complete_checkpoint, last_checkpoint
from effnet_dense.engine.runner import Runner
from tests.helpers import resumable
from tests.helpers.resumable import EPOCHS, CutHook, PowerCut
from tests.helpers.tiers import slow_except

EACH_STEP: dict[str, Any] = {
    **EPOCHS,
    'default_hooks.checkpoint.by_epoch': False,
    'default_hooks.checkpoint.interval': 1,
    'default_hooks.checkpoint.max_keep_ckpts': 2,
}


@pytest.fixture(scope='module', autouse=True)
def quick() -> Iterator[None]:
    """Without the time that a config's text takes."""
    patch = resumable.plain_config_text()
    yield
    patch.undo()


def build(data: Path, work_dir: Path, **changes: Any) -> Runner:
    return RUNNERS.build(resumable.config(data, work_dir, **{**EACH_STEP, **changes}))


def cut(data: Path, work_dir: Path, after: int = 3, **changes: Any) -> Path:
    """A folder with the checkpoints of a run that ended after a step."""
    runner = build(data, work_dir, **changes)
    runner.register_hook(CutHook(after))
    with pytest.raises(PowerCut):
        runner.train()
    return work_dir


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


@pytest.mark.slow
def test_a_new_checkpoint_is_named_before_the_old_one_goes(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power is cut before each change of the folder's names in turn."""
    work_dir = cut(tiny_data, tmp_path, 2, **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    runner = build(
        tiny_data, work_dir, resume=True, **{'default_hooks.checkpoint.max_keep_ckpts': 1}
    )
    runner.register_hook(CutHook(4))
    found = []
    for function in ('replace', 'remove'):
        real = getattr(os, function)

        def looked(*args: Any, real: Any = real) -> None:
            complete = find_complete_checkpoint(work_dir)
            assert complete is not None
            if Path(args[-1]).name != 'best.pth':  # written beside them
                found.append(complete.name)
            real(*args)

        monkeypatch.setattr(os, function, looked)
    with pytest.raises(PowerCut):
        runner.train()
    # Renaming checkpoint and `last_checkpoint`, removing the old one: of two steps.
    assert found == [f'iter_{step}.pth' for step in (2, 2, 3, 3, 3, 4)]
    kept = {name for name in names(work_dir) if name.endswith('.pth')}
    assert kept - {'best.pth'} == {'iter_4.pth'}


@pytest.mark.slow
def test_a_damaged_one_is_skipped_and_logged(tiny_data: Path, tmp_path: Path) -> None:
    work_dir = cut(tiny_data, tmp_path)
    path = work_dir / 'iter_3.pth'
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # of a tensor: torch.load does not notice
    path.write_bytes(content)
    runner = build(tiny_data, work_dir, resume=True)
    runner.register_hook(CutHook(3))
    with pytest.raises(PowerCut):
        runner.train()
    assert (work_dir / 'iter_3.pth.damaged').read_bytes() == content
    assert find_complete_checkpoint(work_dir) == path
    log = max(work_dir.glob('*/*.log')).read_text(encoding='utf-8')
    assert 'checkpoint skipped: ' in log and 'iter_3.pth is damaged: 1 of its ' in log
    assert 'resumed epoch: 0, iter: 2' in log


@pytest.mark.parametrize(
    'damage', slow_except(['truncated', 'missing', 'unnamed', 'empty name'], 'truncated')
)
def test_another_one_is_found(damage: str, tiny_data: Path, tmp_path: Path) -> None:
    work_dir = cut(tiny_data, tmp_path)
    newest, expected = work_dir / 'iter_3.pth', 'iter_2.pth'
    if damage == 'truncated':
        newest.write_bytes(newest.read_bytes()[:1000])
    elif damage == 'missing':
        newest.unlink()
    elif damage == 'unnamed':
        (work_dir / 'last_checkpoint').unlink()
        expected = 'iter_3.pth'
    else:
        (work_dir / 'last_checkpoint').write_text('', encoding='utf-8')
        expected = 'iter_3.pth'
    found = find_complete_checkpoint(work_dir)
    assert found is not None and found.name == expected


def test_no_complete_one_is_an_error_none_at_all_is_a_start(
    tiny_data: Path, tmp_path: Path
) -> None:
    assert find_complete_checkpoint(tmp_path) is None
    work_dir = cut(tiny_data, tmp_path / 'run', 1)
    (work_dir / 'iter_1.pth').write_bytes(b'')
    with pytest.raises(
        ValueError, match=r'no checkpoint in .*run is complete: .*iter_1\.pth is empty'
    ):
        build(tiny_data, work_dir, resume=True).train()


def test_a_folder_may_move(tiny_data: Path, tmp_path: Path) -> None:
    moved = cut(tiny_data, tmp_path / 'here').rename(tmp_path / 'there')
    assert last_checkpoint(moved) == moved / 'iter_3.pth'


@pytest.mark.slow
def test_a_full_disk_keeps_the_old_checkpoint(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_dir = cut(tiny_data, tmp_path)

    def full(backend: Any, content: bytes, path: str) -> None:
        Path(path).write_bytes(content[:1000])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr('mmengine.fileio.LocalBackend.put', full)
    with pytest.raises(OSError, match=r'disk is full.*last checkpoint is .*iter_3.pth.*--resume'):
        build(tiny_data, work_dir, resume=True).train()
    assert not [name for name in names(work_dir) if name.startswith('.part-')]
    found = find_complete_checkpoint(work_dir)
    assert found is not None and found.name == 'iter_3.pth'


@pytest.mark.slow
def test_weights_to_start_with_serve_until_there_is_a_checkpoint(
    tiny_data: Path, tmp_path: Path
) -> None:
    from effnet_dense.engine.flags import resume_from

    source = cut(tiny_data, tmp_path / 'first', 1) / 'iter_1.pth'
    config = resumable.config(tiny_data, tmp_path / 'second', load_from=str(source), **EACH_STEP)
    resume_from(config, 'auto')
    runner = RUNNERS.build(config)
    runner.register_hook(CutHook(1))
    with pytest.raises(PowerCut):
        runner.train()
    assert f'checkpoint in {tmp_path / "second"} yet' in max(
        (tmp_path / 'second').glob('*/*.log')
    ).read_text(encoding='utf-8')
    assert runner._load_from == str(source) and runner._has_loaded
