"""Export a trained model: network, decoding, suppression and metadata in one file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmdet.models.detectors import TwoStageDetector
from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense import __version__
from effnet_dense.data.config_walk import is_segmentation, type_name
from effnet_dense.data.model_classes import test_dataset
from effnet_dense.engine.run_folder import checkpoint_of
from effnet_dense.exporting.accuracy import METRICS
from effnet_dense.exporting.formats import OUT, any_size_trace, check_out, maker, write
from effnet_dense.exporting.input_size import check_multiple, input_size
from effnet_dense.exporting.int8 import MAX_DROP
from effnet_dense.exporting.maker import Parts
from effnet_dense.exporting.precision import check_precision, in_int8, opened_data, stored
from effnet_dense.exporting.soft_nms_default import with_method
from effnet_dense.exporting.tasks import detector_task, masks_of, panoptic_of
from effnet_dense.inference.predictor import Predictor
from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.utils.counted import counted
from effnet_dense.weights import fetch

UNMEASURED = (('detection', 'raw'), ('detection', 'decoded'))
"""Tasks and ends of which no predictions are made."""
OUTPUTS = {
    'boxes': 'x1, y1, x2, y2 in pixels of the input, (N, M, 4)',
    'scores': 'descending; 0 in unused rows, (N, M)',
    'labels': 'positions in classes; -1 in unused rows, (N, M)',
    'label_map': 'positions in classes, (N, H, W)',
    'logits': 'of the classes, before sigmoid or softmax',
    'deltas': 'of priors, as the head predicts them',
    'centerness': 'logits',
    'kernels': "parameters of RTMDet-Ins' networks for masks",
    'prototypes': 'features for masks',
    'masks': 'of the boxes, (N, M, h, w): see the field masks',
    'semantic_logits': 'of things and stuff, (N, C, h, w)',
}


def export(
    config: str | os.PathLike[str] | Config,
    checkpoint: str | None = None,
    out: str | os.PathLike[str] | None = None,
    size: tuple[int, int] | None = None,
    batch: int | None = None,
    post: str | None = None,
    format: str = 'onnx',
    precision: str = 'fp32',
    data: str | os.PathLike[str] | None = None,
    max_drop: float = MAX_DROP,
    multiple: int | None = None,
) -> Path:
    """Export a detector or segmentor to a file that other runtimes execute.

    Args:
        config: A work folder, or a config with a checkpoint, as `Predictor` takes them.
        checkpoint: See there.
        out: The file, or folder for OpenVINO, which must not exist; by default model.onnx,
            model_openvino, model.tflite, model.pte, model.mlpackage or model.pt2.
        size: Height and width that the network takes; by default the test pipeline's.
        batch: Images per pass; by default any number for ONNX and OpenVINO, else one.
        post: 'nms', 'decoded' or 'raw' for detectors as ONNX and OpenVINO, else 'dense' or
            'raw'; 'labels' or 'raw' for segmentors. By default the first, but 'raw' for segmentors
            whose test pipeline resizes images: logits are then resized back before the best class
            is taken, as in PyTorch.
        format: 'onnx', 'openvino', 'litert', 'executorch', 'coreml', or 'torch': a program of
            torch.export.
        precision: 'fp32'; 'fp16' or 'int8-weights', in which weights are stored; or 'int8', in
            which the network computes: decoding and suppression never do.
        data: For int8, as in `effnet_dense.train`: training images give the ranges, the accuracy
            is measured on the others. By default the config's own data.
        max_drop: For int8, the largest loss of AP or mIoU, relative to float32's. Where it is
            larger, layers stay in float32, at most half of them.
        multiple: The file takes every height and width that are multiples of this one, instead of
            one size: of the network's coarsest stride, or a multiple of it. Formats 'onnx' and
            'openvino'.

    Returns:
        The file or folder.

    Raises:
        FileExistsError: `out` exists.
        FileNotFoundError: No such config or checkpoint.
        ImportError: What the format needs is not installed, or PyTorch is older than 2.7.
        ValueError: The model cannot be exported, or `out` has another suffix than the format; or
            int8 costs more accuracy than `max_drop`.
    """
    if not hasattr(torch.compiler, 'is_exporting'):
        raise ImportError(f'export needs PyTorch 2.7 or later, got {torch.__version__}')
    path = Path(OUT.get(format, format) if out is None else out)
    check_precision(precision, data, max_drop)
    check_out(path, format, precision)
    source = checkpoint if checkpoint is not None else checkpoint_of(str(config))
    with opened_data(config, data) if precision == 'int8' else nullcontext() as own:
        predictor = Predictor(config, checkpoint, device='cpu')
        found = Path(fetch(source))
        parts, metadata = _parts(predictor, found, size, batch, post, format, precision, multiple)
        if own is not None:
            model, metadata = in_int8(parts, metadata, predictor, own, format, max_drop)
        elif precision != 'fp32':
            model = stored(parts, metadata, format).joined()
        else:
            model = parts.joined()
    written = write(model, metadata, path, format)
    print_log(f'{path}: {_summary(metadata)}, {written / 1e6:.1f} MB', logger='current')
    return path


def _parts(
    predictor: Predictor,
    checkpoint: Path,
    size: tuple[int, int] | None,
    batch: int | None,
    post: str | None,
    form: str,
    precision: str,
    multiple: int | None,
) -> tuple[Parts, Metadata]:
    """Trace a model; return it in float32, with its metadata."""
    segments = is_segmentation(predictor.config)
    task = 'semantic' if segments else detector_task(predictor.model)
    own = maker(form)
    chosen = _post(task, post, predictor, form)
    if precision == 'int8':
        check_measurable(predictor.model, task, chosen)
    if batch is None and not own.ANY_BATCH:
        batch = 1
    if multiple is not None:
        check_multiple(predictor.model, multiple, size)
    sides = (multiple, multiple) if multiple else input_size(predictor.config, size)
    example = _example(predictor.channels, sides, batch)
    if multiple is None:
        parts = own.trace(predictor.model, task, example, chosen, batch is None)
    else:
        trace = any_size_trace(form)
        parts = trace(predictor.model, task, example, chosen, batch is None, multiple)
    metadata = _metadata(predictor, task, sides, batch, chosen, parts.outputs, checkpoint)
    free: dict[str, Any] = {} if multiple is None else dict(size=None, multiple=multiple)
    return parts, replace(metadata, precision=precision, **free, **parts.details)


def check_measurable(model: Any, task: str, post: str) -> None:
    """Check that int8's accuracy can be measured.

    Raises:
        ValueError: It cannot.
    """
    if task not in METRICS or isinstance(model, TwoStageDetector):
        raise ValueError(
            f'int8 is for single-stage detectors without masks and for segmentors, whose accuracy '
            f'is measured, got {type(model).__name__} (try fp16 or int8-weights)'
        )
    if (task, post) in UNMEASURED:
        raise ValueError(f'int8 needs predictions, to measure its accuracy, got post {post}')


def _summary(metadata: Metadata) -> str:
    """Describe a file in a few words."""
    size = f'multiples of {metadata.multiple}' if metadata.size is None else '{} × {}'
    size = size.format(*metadata.size or ())
    many = counted(metadata.batch, 'image') if metadata.batch else 'any number of images'
    parts = [metadata.model, f'{size} pixels', many]
    if metadata.precision != 'fp32':
        parts.append(metadata.precision)
    if metadata.accuracy:
        found = metadata.accuracy
        figures = ', '.join(f'{found[name]:.4f} in {name}' for name in ('fp32', 'int8'))
        parts.append(f'{found["metric"]} {figures} on {counted(found["images"], "image")}')
    return ', '.join(parts)


def _post(task: str, post: str | None, predictor: Predictor, form: str) -> str:
    """Return what the graph ends with."""
    posts = maker(form).POSTS.get(task)
    if posts is None:
        raise ValueError(
            f'{type(predictor.model).__name__} cannot be exported as {form}, whose files end '
            'before suppression, after which its masks are computed (try onnx or openvino)'
        )
    if post is None:
        steps = test_dataset(predictor.config)['pipeline']
        resized = any('Resize' in type_name(step) for step in steps)
        return 'raw' if task == 'semantic' and resized else posts[0]
    if post not in posts:
        raise ValueError(
            f'expected post to be one of {posts} for a {task} model as {form}, got {post!r}'
        )
    return post


def _example(channels: int, sides: tuple[int, int], batch: int | None) -> torch.Tensor:
    """Return images to trace with; torch.export takes a batch of one for a constant."""
    return torch.zeros(batch or 2, channels, *sides)


def _metadata(
    predictor: Predictor,
    task: str,
    sides: tuple[int, int],
    batch: int | None,
    post: str,
    outputs: Sequence[str],
    checkpoint: Path,
) -> Metadata:
    config = predictor.config
    preprocessor: Any = config.model.get('data_preprocessor') or config.data_preprocessor
    steps = [dict(step) for step in test_dataset(config)['pipeline']]
    resize = next((s for s in steps if type_name(s) == 'Resize'), None)
    meta = predictor.dataset_meta
    return Metadata(
        task=task,
        model=type_name(config.model),
        classes=list(meta['classes']),
        palette=[list(map(int, colour)) for colour in meta.get('palette') or []],
        size=list(sides),
        batch=batch,
        mean=list(preprocessor.get('mean') or [0.0] * predictor.channels),
        std=list(preprocessor.get('std') or [1.0] * predictor.channels),
        pad_value=float(preprocessor.get('pad_value', preprocessor.get('pad_val', 0)) or 0),
        channels='RGB' if preprocessor.get('bgr_to_rgb') and predictor.channels == 3 else 'BGR',
        resize=None
        if resize is None
        else dict(scale=list(resize['scale']), keep_ratio=bool(resize.get('keep_ratio'))),
        post=post,
        outputs={name: OUTPUTS[name] for name in outputs},
        nms={} if task == 'semantic' else _numbers(predictor.model, config),
        pipeline=_plain(steps),
        preprocessor=_plain(dict(preprocessor)),
        checkpoint=checkpoint.name,
        sha256=hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        version=__version__,
        masks=None if task == 'semantic' else masks_of(predictor.model),
        panoptic=None if task == 'semantic' else panoptic_of(predictor.model),
    )


def _numbers(model: Any, config: Config) -> dict[str, Any]:
    """Return the numbers of a detector's decoding and suppression."""
    numbers: dict[str, Any] = Config(dict(x=config.model.get('test_cfg') or {})).to_dict()['x']
    if 'nms' in numbers:
        numbers['nms'] = with_method(model, numbers['nms'])
    return numbers


def _plain(value: Any) -> Any:
    """Return a config's value as JSON has it."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError(f'expected numbers, texts and lists in the test pipeline, got {value!r:.80}')
