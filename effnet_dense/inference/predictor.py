"""Predict on images with a config and a checkpoint."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from PIL import Image

from effnet_dense.data.config_walk import is_segmentation, type_name
from effnet_dense.data.decoding import AS_STORED
from effnet_dense.data.image_files import size_name
from effnet_dense.data.image_values import ImageRange
from effnet_dense.data.resizing import becomes_empty, smallest_scale
from effnet_dense.deployment import deploy as deployed
from effnet_dense.engine.channels_last import use_channels_last
from effnet_dense.engine.checks.finite_outputs import OutputWatch
from effnet_dense.engine.checks.numbers import check_share
from effnet_dense.engine.checks.saved_settings import compare_with_saved
from effnet_dense.engine.checks.sizes import check_sizes
from effnet_dense.engine.checks.thresholds import check_thresholds
from effnet_dense.engine.checks.top_level import check_model
from effnet_dense.engine.cuda_graphs import GraphedPart
from effnet_dense.engine.inference_graphs import check_inference_graphs, graph_inference
from effnet_dense.engine.input_channels import RGB, input_channels, set_input_channels
from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.inference.arguments import check_array, check_batch_size, checked_device, refuse
from effnet_dense.inference.checkpoints import (
    build_model,
    checkpoint_given,
    config_for,
    load_all,
    local_checkpoint,
)
from effnet_dense.inference.conversion import Conversion
from effnet_dense.inference.converted import (
    AUTO,
    FORMATS,
    check_runtime,
    converted,
    ready,
    was_converted,
)
from effnet_dense.inference.drawer import Drawer
from effnet_dense.inference.exported import ExportedModel, exported_config
from effnet_dense.inference.images import ImageInput, ImageReader
from effnet_dense.inference.meta import checkpoint_meta, config_meta, model_for, test_dataset
from effnet_dense.inference.prediction import Context, as_prediction
from effnet_dense.inference.tile_merging import merged
from effnet_dense.inference.tiles import Tiling, Window, check_boxes, check_tiling
from effnet_dense.runtimes.session import Session, open_session
from effnet_dense.runtimes.session import is_exported as is_exported
from effnet_dense.utils.urls import public_name
from effnet_dense.weights import fetch
from effnet_dense.weights.safe import safe_load
from effnet_dense.weights.sources import Source

TILES = 'tiles'
"""Key under which a prepared image has itself, its path and its tiles."""


class BadOutputsError(ValueError):
    """Raised if a model's outputs are not finite: it is damaged, whatever the image."""


class Predictor:
    """Predicts on images: detection, instance, panoptic and semantic segmentation.

    Takes mmdet and mmseg configs. The classes are those named in the checkpoint, else those of the
    config's test data; heads are built for their number, so that a model that was fine-tuned
    with `--data` works with the shipped config.

        predictor = effnet_dense.Predictor('work_dirs/effnet_lite0_mask_rcnn_finetune')
        boxes = predictor('street.jpg').pred_instances.bboxes  # (K, 4): x1, y1, x2, y2 in pixels

    Args:
        config: A work folder, or a checkpoint, of a training, whose config is taken from the
            checkpoint as data (see `engine.run_folder`); or a path, the name of a shipped config,
            or a Config, which is not changed. A config file is Python and is executed. Or a file
            or folder of `effnet_dense.export`, alone: its runtime chooses the device.
        checkpoint: Any source of `effnet_dense.load_weights`; by default the best checkpoint of the
            work folder, or the one that `config` names.
        device: Such as 'cpu' or 'cuda:1'; by default chosen by mmengine.
        deploy: Prepare the model with `effnet_dense.deploy`, which is faster.
        channels_last: Keep weights and features in the channels-last memory format.
        image_range: The values of images that become 0 and 255: the largest, such as 4095 for
            12-bit data, or (smallest, largest). By default that of the config's
            `LoadImageFromFile`, else of the image's type (see `as_bgr`).
        score_thr: Detections with lower scores are dropped; by default those of the config's
            test_cfg remain.
        runtime: 'onnxruntime' or 'openvino': run the checkpoint by it instead of PyTorch, converted
            once and kept beside the checkpoint (see `inference.converted`); then there is no
            `device`, `deploy` or `channels_last`. 'auto' takes a file that was converted before and
            has equal results, on a CPU if none of these three is given; where there is none, it
            converts once so many images were predicted that it pays (see
            `inference.conversion`). 'pytorch' never does.
        cuda_graphs: On a GPU, run the model's parts from CUDA graphs, which is faster for small
            batches. They are for one size of images and batches; others run without, with one
            warning.
        tiling: Detect objects also in tiles of each image, for small objects in large images.

    Attributes:
        config: The config.
        model: The detector or segmentor, in eval mode.
        dataset_meta: {'classes': (str, …), 'palette': [(R, G, B), …]}, for visualizers.

    Raises:
        FileNotFoundError: No such config or checkpoint.
        ValueError: The checkpoint is damaged or of another model, or the config cannot be built, or
            there is no checkpoint.
    """

    def __init__(
        self,
        config: str | PathLike[str] | Config,
        checkpoint: Source | None = None,
        device: str | torch.device | None = None,
        deploy: bool = False,
        channels_last: bool = False,
        image_range: ImageRange = None,
        score_thr: float | None = None,
        runtime: str = AUTO,
        cuda_graphs: bool = False,
        tiling: Tiling | None = None,
    ) -> None:
        check_tiling(tiling)
        self._tiling = tiling
        if score_thr is not None:
            check_share('score_thr', score_thr)
        check_runtime(runtime)
        self._score_thr = score_thr
        self._watched = False
        self.model: Any = None
        self._use_graphs = cuda_graphs
        self._graphs: dict[str, GraphedPart] = {}
        self._conversion: Conversion | None = None
        unused = dict(
            device=device,
            deploy=deploy or None,
            channels_last=channels_last or None,
            cuda_graphs=cuda_graphs or None,
        )
        if is_exported(config):
            given = dict(checkpoint=checkpoint, runtime=None if runtime == AUTO else runtime)
            refuse(f'{config} is an exported file', {**given, **unused})
            self._open(open_session(str(config)), image_range)
        elif runtime in FORMATS:
            refuse(f'runtime={runtime} is given', unused)
            self._open(converted(*local_checkpoint(config, checkpoint), runtime), image_range)
        elif runtime == AUTO and get_device() == 'cpu' and not any(unused.values()):
            self._choose(config, checkpoint, image_range)
        else:
            self._load(config, checkpoint, device, deploy, channels_last, image_range)
        self._finish()

    def _choose(
        self,
        config: str | PathLike[str] | Config,
        checkpoint: Source | None,
        image_range: ImageRange,
    ) -> None:
        """Take a converted file, or PyTorch until a conversion pays."""
        if was_converted(checkpoint_given(config, checkpoint)):
            session = ready(*local_checkpoint(config, checkpoint))
            if session is not None:
                self._open(session, image_range)
                return
        loaded, local = self._load(config, checkpoint, None, False, False, image_range)
        self._conversion = Conversion(loaded, local)

    def _load(
        self,
        config: str | PathLike[str] | Config,
        checkpoint: Source | None,
        device: str | torch.device | None,
        deploy: bool,
        channels_last: bool,
        image_range: ImageRange,
    ) -> tuple[Config, Path]:
        """Build a config's model with a checkpoint; return them. See the class for arguments."""
        checkpoint = checkpoint_given(config, checkpoint)
        self.config = loaded = config_for(config, checkpoint)
        if input_channels(self.config) != RGB:
            self.config = copy.deepcopy(self.config)
            set_input_channels(self.config)
        chosen = checked_device(get_device() if device is None else device)
        check_model(self.config)
        check_sizes(self.config)
        check_thresholds(self.config)
        self._reader = _reader(self.config, image_range)
        scope = 'mmseg' if is_segmentation(self.config) else 'mmdet'
        init_default_scope(self.config.get('default_scope') or scope)
        local = Path(fetch(checkpoint))
        saved = safe_load(local)
        meta = checkpoint_meta(saved, public_name(checkpoint))
        compare_with_saved(self.config, saved, public_name(checkpoint))
        self.dataset_meta = meta or config_meta(self.config)
        model: Any = build_model(model_for(self.config, self.dataset_meta['classes']))
        load_all(model, checkpoint)
        model.dataset_meta = self.dataset_meta  # where the APIs of mmdet and mmseg expect it
        self.model = deployed(model) if deploy else model.eval()
        self.model.to(chosen)
        if channels_last:
            use_channels_last(self.model)
        if self._use_graphs:
            check_inference_graphs(self.model)
        return loaded, local

    def _open(self, session: Session, image_range: ImageRange) -> None:
        """Take an exported file as the model."""
        self.config = exported_config(session.metadata)
        init_default_scope(self.config.default_scope)
        self._reader = _reader(self.config, image_range)
        self.dataset_meta = config_meta(self.config)
        self.model = ExportedModel(session)

    def _finish(self) -> None:
        """Prepare pipeline and drawing, which need the config and the classes."""
        steps = _steps(self.config)
        self._pipeline = Compose(steps)
        self._scale = smallest_scale(steps)
        if self._tiling is not None:
            check_boxes(self.model)
        self._one_size = is_segmentation(self.config)
        drawer = Drawer(self.config, self.dataset_meta)
        classes = tuple(self.dataset_meta['classes'])
        self._context = Context(classes, drawer, self._reader, self.things)

    def __call__(self, images: ImageInput | Sequence[ImageInput], batch_size: int = 1) -> Any:
        """Predict on one image, or on several.

        Args:
            images: A path, an array (H, W, 3) in the order **BGR**, as OpenMMLab's inferencers
                take it, or (H, W) in grey, or a PIL image; or a list or tuple of these.
            batch_size: Images per forward pass. For detectors, smaller images of a batch are
                padded, as in mmdet; segmentors get images of equal size.

        Returns:
            A DetDataSample or SegDataSample on the CPU, or for several images a list of them:
            `pred_instances` (bboxes (K, 4) as x1, y1, x2, y2 in the image's pixels, scores (K,),
            labels (K,), masks (K, H, W)), `pred_sem_seg.data` (1, H, W), or
            `pred_panoptic_seg.sem_seg` (1, H, W). They have the methods of
            `effnet_dense.inference.prediction.Prediction`.

        Raises:
            FileNotFoundError: See `as_bgr`.
            ValueError: See `as_bgr`; arrays and PIL images are checked before the first forward
                pass.
        """
        check_batch_size(batch_size)
        if not isinstance(images, list | tuple):
            return next(self.stream([cast(ImageInput, images)]))
        for image in images:
            if not isinstance(image, str | PathLike):
                self.read(image)
        return list(self.stream(images, batch_size))

    def stream(self, images: Iterable[ImageInput], batch_size: int = 1) -> Iterator[Any]:
        """Predict on images as they arrive; yield a data sample for each, in order.

        Args:
            images: Any iterable of images; an image alone counts as one.
            batch_size: See `__call__`.

        Raises:
            FileNotFoundError, ValueError: See `__call__`.
        """
        check_batch_size(batch_size)
        return self._stream(iter([images] if _is_image(images) else images), batch_size)

    def _stream(self, rest: Iterator[Any], batch_size: int) -> Iterator[Any]:
        while batch := list(islice(rest, batch_size)):
            yield from self.predict_prepared([self.prepare(self.read(i), _path(i)) for i in batch])

    def read(self, image: ImageInput) -> ImageArray:
        """Convert an image to what `predict` takes, by the predictor's `image_range`.

        Raises:
            FileNotFoundError, ValueError: See `as_bgr`.
        """
        return self._reader(image)

    def predict(self, images: Sequence[ImageArray], batch_size: int = 1) -> list[Any]:
        """Predict on arrays of uint8 as `read` returns them, in BGR, which are used as they are.

        Raises:
            ValueError: An array has another type or shape.
        """
        check_batch_size(batch_size)
        arrays = list(images)
        for array in arrays:
            check_array(array, self.channels)
        prepared = [self.prepare(array) for array in arrays]
        batches = (prepared[i : i + batch_size] for i in range(0, len(prepared), batch_size))
        return [sample for batch in batches for sample in self.predict_prepared(batch)]

    def prepare(self, array: ImageArray, path: str | None = None) -> dict[str, Any]:
        """Apply the test pipeline to an array of `read`, for `predict_prepared`.

        Raises:
            ValueError: The image is too narrow to be resized.
        """
        prepared = self._prepare(array, path)
        if self._tiling is not None:
            prepared[TILES] = array, path, self._tiling.windows(*array.shape[:2])
        return prepared

    def _prepare(self, array: ImageArray, path: str | None) -> dict[str, Any]:
        size = array.shape[:2]
        if becomes_empty(size[1], size[0], self._scale):
            raise ValueError(
                f'an image of {size_name(*size[::-1])} pixels is too narrow: the test pipeline '
                'would leave no pixel of its shorter side'
            )
        given = dict(img=array, img_path=path, img_id=0, img_shape=size, ori_shape=size)
        # mmseg's datasets add these two.
        return self._pipeline({**given, 'reduce_zero_label': False, 'seg_fields': []})

    def predict_prepared(self, batch: Sequence[dict[str, Any]]) -> Iterator[Any]:
        """Predict on prepared images in one forward pass; for a segmentor, one for each size.

        Raises:
            BadOutputsError: The model's outputs are NaN or infinite; only the first batch is
                watched, unless it fails.
        """
        tiles = [item.get(TILES, (None, None, [])) for item in batch]
        count = len(batch) + sum(len(windows) for _, _, windows in tiles)
        session = self._conversion.before(count) if self._conversion is not None else None
        if session is not None:
            self.model = ExportedModel(session)
        complete = [{key: item[key] for key in item if key != TILES} for item in batch]
        for sample, own in zip(self._samples(complete), tiles, strict=True):
            array, path, windows = own
            if windows:
                found = self._in_tiles(array, path, windows, len(batch))
                sample = merged(sample, [*found], windows)
            yield as_prediction(sample, self._context, self._score_thr)

    def _in_tiles(
        self, array: ImageArray, path: str | None, windows: Sequence[Window], batch_size: int
    ) -> Iterator[Any]:
        """Yield the data samples of tiles, which are prepared as late as possible."""
        for start in range(0, len(windows), batch_size):
            batch = windows[start : start + batch_size]
            yield from self._samples(
                [self._prepare(array[y1:y2, x1:x2], path) for x1, y1, x2, y2 in batch]
            )

    def _samples(self, batch: Sequence[dict[str, Any]]) -> Iterator[Any]:
        """Yield the data samples of prepared images, on the CPU."""
        for _, group in groupby(batch, self._shape):
            for sample in self._step(pseudo_collate(list(group))):
                yield sample.cpu()

    def _step(self, batch: Any) -> Any:
        """Run the model; watch its outputs until a batch has passed."""
        watch = None if self._watched else OutputWatch(self.model)
        if watch is not None:
            watch.start()
        for part in self._graphs.values():
            part.used = False
        samples, failure = (), None
        try:
            with torch.no_grad():
                samples = self.model.test_step(batch)
        except Exception as error:  # NaN may be what failed
            failure = error
        fault = watch.stop(samples) if watch is not None else ''
        if fault:
            raise BadOutputsError(fault) from failure
        if failure is not None:
            raise failure
        if self._use_graphs and not self._watched:  # a graph cannot hold what watches outputs
            self._graphs = graph_inference(self.model, _warn)
        self._watched = True
        return samples

    @property
    def channels(self) -> int:
        """Channels of the images that the model takes."""
        return input_channels(self.config)

    @property
    def things(self) -> int:
        """Number of thing classes, which come first; 0 unless the model is panoptic."""
        head = getattr(self.model, 'panoptic_fusion_head', None)
        return int(head.num_things_classes) if head is not None else 0

    def _shape(self, prepared: dict[str, Any]) -> Any:
        return prepared['inputs'].shape if self._one_size else None


def _is_image(images: Any) -> bool:
    """Whether something to iterate over is one image, not several."""
    if isinstance(images, np.ndarray):
        return images.ndim < 4
    return isinstance(images, str | PathLike | Image.Image)


def _warn(text: str) -> None:
    print_log(text, 'current', logging.WARNING)


def _path(image: ImageInput) -> str | None:
    return str(image) if isinstance(image, str | PathLike) else None


def _reader(config: Config, image_range: ImageRange) -> ImageReader:
    """Build a reader with the given range, or with what the config's loader is told."""
    steps = test_dataset(config).get('pipeline') or ()
    loader: Any = next((step for step in steps if type_name(step) == 'LoadImageFromFile'), {})
    upright = not str(loader.get('color_type', '')).endswith(AS_STORED)
    return ImageReader(
        loader.get('image_range') if image_range is None else image_range,
        upright,
        input_channels(config),
    )


def _steps(config: Config) -> list[Any]:
    """Return the test pipeline without loading: the image is given, annotations do not exist."""
    steps = copy.deepcopy(list(test_dataset(config)['pipeline']))
    return [step for step in steps if not type_name(step).startswith('Load')]
