"""Predict on files and folders and write a folder of results, as tools/infer.py does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import Any, TypeVar

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from rich.progress import Progress

from effnet_dense.data.config_walk import is_segmentation
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.evaluation.visualizer import build_visualizer
from effnet_dense.inference.categories import CocoIds, default_ids, ids_from
from effnet_dense.inference.inputs import Input, find_inputs
from effnet_dense.inference.output_paths import OutputPaths
from effnet_dense.inference.predictor import Predictor
from effnet_dense.inference.results import Results
from effnet_dense.inference.video import frame_rate, open_video, video_writer
from effnet_dense.utils.progress import progress_bar

T = TypeVar('T')
Named = tuple[str, ImageArray]


def infer(
    predictor: Predictor,
    sources: Sequence[str | Path],
    out: str | Path,
    score_thr: float = 0.3,
    batch_size: int = 1,
    ann_file: str | Path | None = None,
) -> list[str]:
    """Predict on images, folders and videos, and write the files that `results` describes.

    Args:
        predictor: The model.
        sources: Images, videos, and folders of both.
        out: The folder for the results.
        score_thr: Lower scores are not drawn. JSON files contain everything that the config's
            test_cfg lets through.
        batch_size: Images, or frames of a video, per forward pass.
        ann_file: Take the ids of images and categories from this file in COCO's format.

    Returns:
        A line for each file that was skipped because it could not be read.

    Raises:
        FileNotFoundError: A source or `ann_file` does not exist.
        FileExistsError: A result has the name of a file that the package did not write.
        ValueError: A result would replace an input, or `ann_file` lacks classes.
    """
    if batch_size < 1:
        raise ValueError(f'expected a batch_size of at least 1, got {batch_size}')
    inputs = find_inputs(sources, out)
    paths = OutputPaths.of(inputs)
    paths.check(Path(out), inputs, ann_file)
    return _Run(predictor, out, paths, score_thr, batch_size, ann_file).run(inputs)


class _Run:
    """One call of `infer`."""

    def __init__(
        self,
        predictor: Predictor,
        out: str | Path,
        paths: OutputPaths,
        score_thr: float,
        batch_size: int,
        ann_file: str | Path | None,
    ) -> None:
        classes = predictor.dataset_meta['classes']
        ids: CocoIds = ids_from(ann_file, classes) if ann_file else default_ids(classes)
        self.predictor = predictor
        self.paths = paths
        self.batch_size = batch_size
        self.score_thr = score_thr
        self.visualizer = build_visualizer(
            _visualizer_config(predictor.config), predictor.dataset_meta
        )
        self.results = Results(out, classes, ids, predictor.things, paths.maps)
        self.skipped: list[str] = []

    def run(self, inputs: Sequence[Input]) -> list[str]:
        """Predict on all inputs; unreadable ones are skipped."""
        images = [item for item in inputs if not item.is_video]
        with progress_bar() as progress:
            if images:
                advance = _task(progress, 'images', len(images))
                for batch in _batches(self._read(images, advance), self.batch_size):
                    self._add_images(batch)
            for item in inputs:
                video = self._skip_unreadable(open_video, item.path) if item.is_video else None
                if video is not None:
                    self._add_video(item, video, progress)
        self.results.close()
        return self.skipped

    def _read(self, inputs: Sequence[Input], advance: Callable[[], None]) -> Iterator[Named]:
        for item in inputs:
            image = self._skip_unreadable(self.predictor.read, item.path)
            if image is not None:
                yield item.name, image
            advance()

    def _skip_unreadable(self, read: Callable[..., T], *arguments: Any) -> T | None:
        try:
            return read(*arguments)
        except (ValueError, OSError) as error:
            self.skipped.append(str(error))
            print_log(f'skipped: {error}', logger='current', level=logging.WARNING)
            return None

    def _add_images(self, batch: list[Named]) -> None:
        for (name, image), sample in self._predict(batch):
            self.results.add(name, image.shape[:2], sample)
            self.results.add_drawing(name, self._draw(image, sample))

    def _add_video(self, item: Input, video: Any, progress: Progress) -> None:
        advance = _task(progress, item.name, max(video.frame_cnt, 0) or None)
        target = self.results.folder / 'pictures' / self.paths.drawings[item.name]
        frames = self.paths.frames[item.name]
        with video_writer(target, frame_rate(video), video.current_frame()) as writer:
            for batch in _batches(_frames(video, frames), self.batch_size):
                for (name, image), sample in self._predict(batch):
                    frame = int(PurePath(name).name)
                    size = image.shape[:2]
                    self.results.add(name, size, sample, video=item.name, frame_id=frame)
                    writer.write(self._draw(image, sample))
                    advance()

    def _predict(self, batch: list[Named]) -> Iterator[tuple[Named, Any]]:
        samples = self.predictor.predict([image for _, image in batch], self.batch_size)
        yield from zip(batch, samples, strict=True)

    def _draw(self, image: ImageArray, sample: Any) -> ImageArray:
        """Draw a sample's predictions into an image (H, W, 3), BGR."""
        options = {'pred_score_thr': self.score_thr} if 'pred_instances' in sample else {}
        rgb = np.ascontiguousarray(image[..., ::-1])
        self.visualizer.add_datasample('', rgb, data_sample=sample, draw_gt=False, **options)
        return np.ascontiguousarray(self.visualizer.get_image()[..., ::-1])


def _visualizer_config(config: Config) -> dict[str, Any]:
    """Return the config's visualizer; mmdet's or mmseg's if it has none."""
    kind = 'SegLocalVisualizer' if is_segmentation(config) else 'DetLocalVisualizer'
    return dict(config.get('visualizer') or {'type': kind})


def _frames(video: Any, folder: str) -> Iterator[Named]:
    """Yield a video's frames, named by their number: 'street/000000', 'street/000001', …"""
    for number, frame in enumerate(video):
        yield f'{folder}/{number:06}', frame


def _batches(items: Iterator[Named], size: int) -> Iterator[list[Named]]:
    while batch := list(islice(items, size)):
        yield batch


def _task(progress: Progress, name: str, total: int | None) -> Callable[[], None]:
    task = progress.add_task(name, total=total)
    return lambda: progress.advance(task)
