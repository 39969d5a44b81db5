"""Read and write videos with OpenCV."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import mmcv

from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.utils.native_paths import native_path
from effnet_dense.utils.outputs import new_output
from effnet_dense.utils.regular_files import check_regular

FALLBACK_FPS = 25.0
"""For files without a frame rate."""

COUNTED = frozenset(['.avi', '.m4v', '.mov', '.mp4'])
"""Suffixes of videos whose header counts the frames; others' numbers are estimates."""

CODEC = 'mp4v'
SPARE_BYTES = 1 << 16
"""A disk with less is full: the last block of a file does not fit."""


def open_video(path: str | Path) -> mmcv.VideoReader:
    """Open a video, which iterates over its frames (H, W, 3), uint8, BGR.

    Raises:
        FileNotFoundError: No such file.
        ValueError: OpenCV cannot read a frame of the file, or it is no regular file.
    """
    try:
        check_regular(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'no video at {path}') from error
    except ValueError as error:
        raise ValueError(f'cannot read {path} as a video: it is {error}') from error
    with native_path(path) as readable:
        video = mmcv.VideoReader(readable)
    if video.read() is None:
        raise ValueError(f'cannot read {path} as a video')
    return video


def frame_rate(video: mmcv.VideoReader) -> float:
    """Return a video's frames per second, `FALLBACK_FPS` if its file states none."""
    return video.fps if 0 < video.fps < 1000 else FALLBACK_FPS


@contextmanager
def video_writer(path: Path, fps: float, frame: ImageArray) -> Iterator[cv2.VideoWriter]:
    """Open an MP4 file for frames (H, W, 3), BGR; it gets its final name at the end.

    Args:
        path: The file; missing folders are made. After an error it does not exist.
        fps: Frames per second.
        frame: The first frame; all others must have its size.

    Raises:
        FileExistsError: The package did not write the file that has this name.
        OSError: The disk is full, of which OpenCV says nothing.
        ValueError: OpenCV cannot write videos here.
    """
    with new_output(path, fsync=False) as partial, native_path(partial) as writable:
        codec = cv2.VideoWriter.fourcc(*CODEC)
        writer = cv2.VideoWriter(writable, codec, fps, frame.shape[1::-1])
        if not writer.isOpened():
            raise ValueError(f'OpenCV cannot write {path} with the codec {CODEC}')
        try:
            yield writer
        finally:
            writer.release()
        _check_written(path, writable)


def _check_written(path: Path, written: str) -> None:
    """Read a frame of a finished file, whose index is written last.

    Raises:
        OSError: There is none.
    """
    video = cv2.VideoCapture(written)
    readable = video.read()[0]
    video.release()
    if readable:
        return
    if shutil.disk_usage(path.parent).free < SPARE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    raise OSError(errno.EIO, 'the video could not be written completely', str(path))
