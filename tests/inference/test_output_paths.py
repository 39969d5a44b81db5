"""Where results of images and videos go."""

from __future__ import annotations

from pathlib import Path

import pytest

from effnet_dense.inference.inputs import Input
from effnet_dense.inference.output_paths import OutputPaths
from effnet_dense.utils.outputs import claim


def paths(*names: str) -> OutputPaths:
    return OutputPaths.of([Input(Path(name), name) for name in names])


def test_simple_names_stay() -> None:
    found = paths('a.jpg', 'd/b.png', 'd/v.avi')
    assert found.drawings == {'a.jpg': 'a.jpg', 'd/b.png': 'd/b.png', 'd/v.avi': 'd/v.mp4'}
    assert found.maps == {'a.jpg': 'a.png', 'd/b.png': 'd/b.png'}
    assert found.frames == {'d/v.avi': 'd/v'}


def test_videos_that_share_a_stem_with_videos_and_folders() -> None:
    found = paths('v.mp4', 'v.avi', 'road/0.jpg', 'road.mov')
    assert found.drawings['v.mp4'] == 'v.mp4.mp4' and found.drawings['v.avi'] == 'v.avi.mp4'
    assert found.frames == {'v.mp4': 'v.mp4', 'v.avi': 'v.avi', 'road.mov': 'road.mov'}
    assert found.drawings['road.mov'] == 'road.mp4'


def test_frames_of_an_earlier_run_and_of_others(tmp_path: Path) -> None:
    video = Input(tmp_path / 'v.mp4', 'v.mp4')
    frame = tmp_path / 'out' / 'labels' / 'v' / '000007.png'
    claim(frame).write_bytes(b'')
    OutputPaths.of([video]).check(tmp_path / 'out', [video])
    frame.with_name('000008.png').write_bytes(b'')
    with pytest.raises(FileExistsError, match='000008'):
        OutputPaths.of([video]).check(tmp_path / 'out', [video])
