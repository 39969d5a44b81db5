"""Files and folders → a folder of predictions: what tools/infer.py calls."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, TypeVar

from mmengine.logging import print_log
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from effnet_dense.inference.categories import CocoIds, default_ids, ids_of
from effnet_dense.inference.drawing import Drawing
from effnet_dense.inference.images import Picture, read_image
from effnet_dense.inference.inputs import Input, find_inputs
from effnet_dense.inference.predictor import Predictor
from effnet_dense.inference.results import Results
from effnet_dense.inference.video import VideoReader, VideoWriter

T = TypeVar('T')
Named = tuple[str, Picture]


def infer(
    predictor: Predictor,
    sources: Sequence[str | Path],
    out: str | Path,
    score_thr: float = 0.3,
    batch_size: int = 1,
    ann_file: str | Path | None = None,
) -> list[str]:
    """Predict on images, folders and videos, and write what `results` describes.

    Args:
        predictor: Predicts.
        sources: Images, folders of images and videos, and videos.
        out: The folder for the results.
        score_thr: What has a lower score is not drawn. JSON files have everything that the
            config's test_cfg lets through.
        batch_size: Images, or frames of a video, a pass.
        ann_file: Take the ids of images and categories from this file in COCO's format.

    Returns:
        What was skipped: a line for each file that could not be read.

    Raises:
        FileNotFoundError: a source or `ann_file` does not exist.
        ValueError: two sources' results would have one name, or `ann_file` is of other classes.
    """
    if batch_size < 1:
        raise ValueError(f'expected a batch_size of at least 1, got {batch_size}')
    inputs = find_inputs(sources, out)
    return _Run(predictor, out, score_thr, batch_size, ann_file).run(inputs)


class _Run:
    """One call of `infer`."""

    def __init__(
        self,
        predictor: Predictor,
        out: str | Path,
        score_thr: float,
        batch_size: int,
        ann_file: str | Path | None,
    ) -> None:
        classes = predictor.dataset_meta['classes']
        ids: CocoIds = ids_of(ann_file, classes) if ann_file else default_ids(classes)
        self.predictor = predictor
        self.batch_size = batch_size
        self.draw = Drawing(predictor.config, predictor.dataset_meta, score_thr)
        self.results = Results(out, classes, ids, predictor.things)
        self.skipped: list[str] = []

    def run(self, inputs: Sequence[Input]) -> list[str]:
        """Predict on all; what cannot be read is skipped."""
        pictures = [item for item in inputs if not item.is_video]
        with _progress() as progress:
            if pictures:
                advance = _task(progress, 'images', len(pictures))
                for batch in _batches(self._read(pictures, advance), self.batch_size):
                    self._images(batch)
            for item in inputs:
                reader = self._skip_unreadable(VideoReader, item.path) if item.is_video else None
                if reader is not None:
                    self._video(item, reader, progress)
        self.results.close()
        return self.skipped

    def _read(self, inputs: Sequence[Input], advance: Callable[[], None]) -> Iterator[Named]:
        for item in inputs:
            picture = self._skip_unreadable(read_image, item.path)
            if picture is not None:
                yield item.name, picture
            advance()

    def _skip_unreadable(self, read: Callable[..., T], *words: Any) -> T | None:
        try:
            return read(*words)
        except (ValueError, OSError) as error:
            self.skipped.append(str(error))
            print_log(f'skipped: {error}', logger='current', level=logging.WARNING)
            return None

    def _images(self, batch: list[Named]) -> None:
        for (name, picture), sample in self._predict(batch):
            self.results.add(name, picture, sample)
            self.results.draw(name, self.draw(picture, sample))

    def _predict(self, batch: list[Named]) -> Iterator[tuple[Named, Any]]:
        samples = self.predictor([picture for _, picture in batch], self.batch_size)
        yield from zip(batch, samples, strict=True)

    def _video(self, item: Input, reader: VideoReader, progress: Progress) -> None:
        advance = _task(progress, item.name, reader.count or None)
        target = self.results.folder / 'pictures' / PurePath(item.name).with_suffix('.mp4')
        with VideoWriter(target, reader.fps) as writer:
            for batch in _batches(_frames(reader, item.name), self.batch_size):
                for (name, picture), sample in self._predict(batch):
                    frame = int(PurePath(name).name)
                    self.results.add(name, picture, sample, video=item.name, frame_id=frame)
                    writer.write(self.draw(picture, sample))
                    advance()


def _frames(reader: VideoReader, name: str) -> Iterator[Named]:
    """A video's frames, named by their number: 'street/000000', 'street/000001', …"""
    folder = PurePath(name).with_suffix('')
    for number, frame in enumerate(reader):
        yield (folder / f'{number:06}').as_posix(), frame


def _batches(items: Iterator[Named], size: int) -> Iterator[list[Named]]:
    while batch := list(islice(items, size)):
        yield batch


def _task(progress: Progress, name: str, total: int | None) -> Callable[[], None]:
    task = progress.add_task(name, total=total)
    return lambda: progress.advance(task)


def _progress() -> Progress:
    """A bar with the time left, on a terminal; nothing in a log file."""
    console = Console(stderr=True)
    columns = (
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)
