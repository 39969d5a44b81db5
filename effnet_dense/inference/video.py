"""Videos, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2

from effnet_dense.inference.images import Picture
from effnet_dense.inference.output import part_of

FALLBACK_FPS = 25.0
"""For files that do not say how fast they are."""


class VideoReader:
    """Iterates, once, over a video's frames (H, W, 3), uint8, BGR.

    Attributes:
        fps: Frames a second.
        count: Of frames, as the file says it: an estimate, 0 where unknown.

    Raises:
        ValueError: OpenCV cannot read a frame of the file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._capture = cv2.VideoCapture(str(path))
        frame: Any
        there, frame = self._capture.read()
        if not there:
            raise ValueError(f'cannot read {path} as a video')
        self._first: Picture = frame
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps < 1000 else FALLBACK_FPS
        self.count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def __iter__(self) -> Iterator[Picture]:
        there = True
        frame: Any = self._first
        while there:
            yield frame
            there, frame = self._capture.read()
        self._capture.release()


class VideoWriter:
    """Writes frames into an MP4 file (codec mp4v), which gets its name when it is whole.

    A context manager: on an error nothing is left.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self._fps = fps
        self._writer: cv2.VideoWriter | None = None

    def write(self, frame: Picture) -> None:
        """Add a frame (H, W, 3), BGR; all have the first one's size.

        Raises:
            ValueError: OpenCV cannot write videos here.
        """
        if self._writer is None:
            self._writer = self._open(frame.shape[1], frame.shape[0])
        self._writer.write(frame)

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        codec = cv2.VideoWriter.fourcc(*'mp4v')
        writer = cv2.VideoWriter(str(part_of(self.path)), codec, self._fps, (width, height))
        if not writer.isOpened():
            raise ValueError(f'OpenCV cannot write {self.path} with the codec mp4v')
        return writer

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is None:
            return
        self._writer.release()
        if kind is None:
            os.replace(part_of(self.path), self.path)
        else:
            part_of(self.path).unlink(missing_ok=True)
