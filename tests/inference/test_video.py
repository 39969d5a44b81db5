"""Videos are read frame by frame, and written atomically."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from effnet_dense.inference.video import FALLBACK_FPS, frame_rate, open_video, video_writer
from effnet_dense.utils.atomic import partial_path
from effnet_dense.utils.outputs import MARK

FRAME = np.zeros((48, 64, 3), np.uint8)


def write(path: Path, frames: int, fps: float = 5) -> Path:
    """A video whose frames become brighter."""
    with video_writer(path, fps, FRAME) as writer:
        for number in range(frames):
            writer.write(FRAME + np.uint8(20 * number))
        assert not path.exists()
    return path


def test_frames_in_their_order(tmp_path: Path) -> None:
    path = write(tmp_path / 'new' / 'v.mp4', 12)
    video = open_video(path)
    assert (video.frame_cnt, frame_rate(video)) == (12, 5)
    frames = list(video)
    assert len(frames) == 12 and frames[0].shape == FRAME.shape
    np.testing.assert_allclose([frame.mean() for frame in frames], np.arange(12) * 20, atol=4)
    assert not partial_path(path).exists()


def test_the_first_frame_is_not_lost(tmp_path: Path) -> None:
    video = open_video(write(tmp_path / 'v.mp4', 2))
    assert video.current_frame().mean() < 5
    assert next(iter(video)).mean() < 5


def test_files_that_are_no_video(tmp_path: Path) -> None:
    path = tmp_path / 'v.mp4'
    path.write_bytes(b'no video')
    with pytest.raises(ValueError, match=r'cannot read .*v\.mp4 as a video'):
        open_video(path)
    with pytest.raises(FileNotFoundError, match='absent'):
        open_video(tmp_path / 'absent.mp4')


@pytest.mark.parametrize('fps', [0, -1, 90000, float('nan')])
def test_impossible_frame_rates(fps: float) -> None:
    video: Any = SimpleNamespace(fps=fps)
    assert frame_rate(video) == FALLBACK_FPS


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'v.mp4'
    with pytest.raises(KeyError), video_writer(path, 5, FRAME) as writer:
        writer.write(FRAME)
        raise KeyError
    assert [path.name for path in tmp_path.iterdir()] == [MARK]


def test_a_codec_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = SimpleNamespace(isOpened=lambda: False, fourcc=cv2.VideoWriter.fourcc)
    made = type('Writer', (), {'fourcc': cv2.VideoWriter.fourcc, '__new__': lambda *_: closed})
    monkeypatch.setattr(cv2, 'VideoWriter', made)
    with (
        pytest.raises(ValueError, match=r'cannot write .*v\.mp4 with the codec mp4v'),
        video_writer(tmp_path / 'v.mp4', 5, FRAME),
    ):
        pass
