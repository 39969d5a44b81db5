"""Predict on files and folders and write a folder of results, as tools/infer.py does."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import cv2
from mmengine.logging import print_log
from rich.progress import Progress

from effnet_dense.data.config_walk import is_segmentation
from effnet_dense.engine.checks.numbers import check_share
from effnet_dense.engine.input_channels import RGB
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.inference.categories import CocoIds, default_ids, ids_from
from effnet_dense.inference.drawer import Drawer
from effnet_dense.inference.inputs import Input, find_inputs
from effnet_dense.inference.output_paths import OutputPaths
from effnet_dense.inference.predictor import BadOutputsError, Predictor
from effnet_dense.inference.results import Results
from effnet_dense.inference.video import COUNTED, frame_rate, open_video, video_writer
from effnet_dense.utils.atomic import DISK_FULL
from effnet_dense.utils.console import one_line
from effnet_dense.utils.counted import counted
from effnet_dense.utils.native_paths import is_utf8
from effnet_dense.utils.output_folders import check_folder
from effnet_dense.utils.progress import progress_bar
from effnet_dense.utils.run_lock import PREDICTION, locked

BAD_FILE = (
    *(ArithmeticError, AssertionError, IndexError, MemoryError, OSError, RuntimeError, ValueError),
    cv2.error,
)
"""Errors that an image causes, in decoding, the pipeline or the model; others are mistakes in the
config or the code, and end the run."""

DISK_FAILS = (*DISK_FULL, errno.EIO, errno.EROFS)
"""Errors of writing after which nothing else can be written."""


@dataclass(frozen=True)
class Prepared:
    """An image (H, W, 3), BGR, before and after the test pipeline."""

    path: Path
    name: str
    image: ImageArray
    inputs: dict[str, Any]


def infer(
    predictor: Predictor,
    sources: Sequence[str | Path],
    out: str | Path,
    score_thr: float = 0.3,
    batch_size: int = 1,
    ann_file: str | Path | None = None,
    annotate: float | None = None,
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
        annotate: Also write detections from this score on as annotations.json, a dataset in COCO's
            format.

    Returns:
        A line for each file that was skipped because it could not be read, predicted on or
        drawn, and for each video that was read in part.

    Raises:
        FileNotFoundError: A source or `ann_file` does not exist.
        OSError: `out` cannot be written, or the disk is full, for example; the JSON files then have
            the results until that image.
        FileExistsError: A result has the name of a file that the package did not write, or another
            process predicts into the folder.
        ValueError: A result would replace an input, `ann_file` lacks classes, a number is
            impossible, or `annotate` is given to a model of label maps.
    """
    if batch_size < 1:
        raise ValueError(f'expected a batch_size of at least 1, got {batch_size}')
    check_share('score_thr', score_thr)
    if annotate is not None:
        check_share('annotate', annotate)
        if predictor.things or is_segmentation(predictor.config):
            raise ValueError('annotate is for detectors: this model predicts label maps')
    check_folder(out)
    lines: list[str] = []
    more = () if predictor.channels == RGB else ('.npy',)
    inputs = find_inputs(sources, out, lines.append, print_log, more)
    paths = OutputPaths.of(inputs)
    paths.check(Path(out), inputs, ann_file)
    with locked(out, PREDICTION):
        run = _Run(predictor, out, paths, score_thr, batch_size, ann_file, annotate)
        for item in inputs:
            if not is_utf8(item.path.name):
                line = f'{one_line(item.path)} is not UTF-8: its results are named {item.name}'
                print_log(line, logger='current')
        for line in lines:
            run.skip(line)
        return run.run(inputs)


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
        annotate: float | None,
    ) -> None:
        classes = predictor.dataset_meta['classes']
        ids: CocoIds = ids_from(ann_file, classes) if ann_file else default_ids(classes)
        self.predictor = predictor
        self.paths = paths
        self.batch_size = batch_size
        self.score_thr = score_thr
        self.drawer = Drawer(predictor.config, predictor.dataset_meta)
        _ = self.drawer.visualizer  # a wrong config ends the run before the first image
        self.results = Results(
            out, classes, ids, predictor.things, paths.maps, paths.drawings, annotate
        )
        self.skipped: list[str] = []
        self.frames = 0
        self.detections: tuple[int, int] | None = None

    def run(self, inputs: Sequence[Input]) -> list[str]:
        """Predict on all inputs; those that cannot be read or predicted on are skipped.

        Raises:
            OSError: Nothing more can be written. The JSON files have the results until then.
        """
        try:
            self._predict_all(inputs)
        except OSError as error:
            self.results.close()
            reason = f'{error.strerror or error}; the JSON files in {self.results.folder} have the '
            reason += f'results of the {self.results.count} images and frames before'
            raise OSError(error.errno, reason, error.filename) from error
        finally:
            self.results.release()
        self.results.close()
        print_log(self._summary(), logger='current')
        return self.skipped

    def _summary(self) -> str:
        """Return such as '2 images, 126 detections, 0 above 0.30'."""
        frames, images = self.frames, self.results.count - self.frames
        parts = [counted(images, 'image')] if images or not frames else []
        parts += [counted(frames, 'frame')] if frames else []
        if self.detections is not None:
            found, drawn = self.detections
            parts += [counted(found, 'detection'), f'{drawn} above {self.score_thr:.2f}']
        return ', '.join(parts)

    def _add(self, item: Prepared, sample: Any, **more: Any) -> None:
        """Add an image's or a frame's predictions to the results, and count them."""
        self.results.add(item.name, item.image.shape[:2], sample, **more)
        self.frames += bool(more)
        if 'pred_instances' in sample:
            scores = sample.pred_instances.scores
            found, drawn = self.detections or (0, 0)
            drawn += int((scores > self.score_thr).sum())
            self.detections = found + len(scores), drawn

    def _predict_all(self, inputs: Sequence[Input]) -> None:
        images = [item for item in inputs if not item.is_video]
        with progress_bar() as progress:
            if images:
                advance = _task(progress, 'images', len(images))
                for batch in _batches(self._read(images, advance), self.batch_size):
                    self._add_images(batch)
            for item in inputs:
                if item.is_video:
                    with self._skipping(item.path):
                        self._add_video(item, open_video(item.path), progress)

    @contextmanager
    def _skipping(self, path: Path | str) -> Iterator[None]:
        """Name a file whose reading, prediction or drawing fails in the block, and continue."""
        try:
            yield
        except BadOutputsError:
            raise
        except BAD_FILE as error:
            if isinstance(error, OSError) and error.errno in DISK_FAILS:
                raise
            line = str(error).strip() or type(error).__name__
            self.skip(line if str(path) in line else f'cannot predict on {path}: {line}')

    def skip(self, line: str) -> None:
        """Log and list a file that is skipped."""
        line = one_line(line)
        self.skipped.append(line)
        print_log(f'skipped: {line}', logger='current', level=logging.WARNING)

    def _read(self, inputs: Sequence[Input], advance: Callable[[], None]) -> Iterator[Prepared]:
        for item in inputs:
            with self._skipping(item.path):
                image = self._image(item.path)
                yield Prepared(item.path, item.name, image, self.predictor.prepare(image))
            advance()

    def _image(self, path: Path) -> ImageArray:
        """Read an image; an error of the disk is one of this file, unlike those of writing.

        Raises:
            FileNotFoundError, ValueError: See `as_bgr`.
        """
        try:
            return self.predictor.read(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ValueError(f'cannot read {path}: {error.strerror or error}') from error

    def _add_images(self, batch: list[Prepared]) -> None:
        for item, sample in self._predict(batch):
            with self._skipping(item.path):
                self._add(item, sample)
                self.results.add_drawing(item.name, self.drawer(item.image, sample, self.score_thr))

    def _add_video(self, item: Input, video: Any, progress: Progress) -> None:
        advance = _task(progress, item.name, max(video.frame_cnt, 0) or None)
        target = self.results.folder / 'pictures' / self.paths.drawings[item.name]
        frames = self.paths.frames[item.name]
        before = self.results.count
        with video_writer(target, frame_rate(video), video.current_frame()) as writer:
            for batch in _batches(self._frames(item, video, frames), self.batch_size):
                for frame, sample in self._predict(batch):
                    number = int(PurePath(frame.name).name)
                    self._add(frame, sample, video=item.name, frame_id=number)
                    writer.write(self.drawer(frame.image, sample, self.score_thr))
                    advance()
        self._check_length(item.path, video, self.results.count - before)

    def _check_length(self, path: Path, video: Any, count: int) -> None:
        """Name a video that ended before the number of frames that its header states."""
        line = (
            f'{path} is damaged or incomplete: {count} of its {video.frame_cnt} frames could be '
            'read, whose results are written'
        )
        if count >= video.frame_cnt - 1:  # some headers count one frame too many
            return
        if path.suffix.lower() in COUNTED:
            self.skip(line)
        else:
            print_log(f'perhaps {line}', logger='current', level=logging.WARNING)

    def _frames(self, item: Input, video: Any, folder: str) -> Iterator[Prepared]:
        """Yield a video's frames, named by their number: 'street/000000', 'street/000001', …"""
        for number, frame in enumerate(video):
            if self.predictor.channels != RGB:
                frame = self.predictor.read(frame)
            yield Prepared(item.path, f'{folder}/{number:06}', frame, self.predictor.prepare(frame))

    def _predict(self, batch: list[Prepared]) -> Iterator[tuple[Prepared, Any]]:
        """Predict on a batch; if that fails, on each of its images, without those that fail."""
        try:
            samples = list(self.predictor.predict_prepared([item.inputs for item in batch]))
        except BadOutputsError:
            raise
        except BAD_FILE:
            if len(batch) == 1:
                with self._skipping(batch[0].path):
                    raise
            else:
                for item in batch:
                    yield from self._predict([item])
            return
        yield from zip(batch, samples, strict=True)


def _batches(items: Iterator[Prepared], size: int) -> Iterator[list[Prepared]]:
    while batch := list(islice(items, size)):
        yield batch


def _task(progress: Progress, name: str, total: int | None) -> Callable[[], None]:
    task = progress.add_task(name, total=total)
    return lambda: progress.advance(task)
