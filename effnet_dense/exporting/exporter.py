"""Export a model: network, decoding, suppression and metadata in one file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from torch import nn

from effnet_dense.data.config_walk import type_name
from effnet_dense.engine.run_folder import checkpoint_of
from effnet_dense.exporting.bare_network import bare_network, is_name
from effnet_dense.exporting.formats import ANY_SIZE, OUT, any_size_trace, check_out, maker, write
from effnet_dense.exporting.maker import Parts
from effnet_dense.exporting.precision import check_precision, in_int8, opened_data, stored
from effnet_dense.exporting.request import Request, Settled, Subject, settle
from effnet_dense.exporting.trained import Trained
from effnet_dense.inference.converted import padding_multiple, pads_alike
from effnet_dense.inference.predictor import Predictor
from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.runtimes.session import is_exported
from effnet_dense.utils.counted import counted
from effnet_dense.weights import fetch


def export(
    config: str | os.PathLike[str] | Config | nn.Module,
    checkpoint: str | None = None,
    out: str | os.PathLike[str] | None = None,
    size: tuple[int, int] | None = None,
    batch: int | None = None,
    post: str | None = None,
    format: str = 'onnx',
    precision: str = 'fp32',
    data: str | os.PathLike[str] | None = None,
    max_drop: float | None = None,
    multiple: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Path:
    """Export a detector, segmentor, classifier or backbone to a file that other runtimes execute.

    Args:
        config: A work folder, or a config with a checkpoint, as `Predictor` takes them. Or the name
            of a network, such as 'b0', or an `EfficientNetClassifier` or `EfficientNet`.
        checkpoint: See `Predictor`; for the name of a network its weights, by default ImageNet's.
        out: The file, or folder for OpenVINO, which must not exist; by default model.onnx,
            model_openvino, model.tflite, model.pte, model.mlpackage or model.pt2.
        size: Height and width that the network takes; by default the test pipeline's.
        batch: Images per pass; by default any number for ONNX and OpenVINO, else one.
        post: 'nms', 'decoded' or 'raw' for detectors as ONNX and OpenVINO, else 'dense' or
            'raw'; 'labels' or 'raw' for segmentors; 'raw' for classifiers, whose name also takes
            'features', as backbones end. By default the first, but 'raw' for segmentors whose test
            pipeline resizes images: logits are then resized back before the best class is taken,
            as in PyTorch.
        format: 'onnx', 'openvino', 'litert', 'executorch', 'coreml', or 'torch': a program of
            torch.export.
        precision: 'fp32'; 'fp16' or 'int8-weights', in which weights are stored; or 'int8', in
            which the network computes: decoding and suppression never do.
        data: For int8, as in `effnet_dense.train`: training images give the ranges, the accuracy
            is measured on the others. By default the config's own data.
        max_drop: For int8, the largest loss of AP or mIoU, relative to float32's; 0.01 by default.
            Where it is larger, layers stay in float32, at most half of them.
        multiple: The file takes every height and width that are multiples of this one, instead of
            one size: of the network's coarsest stride, or a multiple of it. Formats 'onnx' and
            'openvino', where it is the default if the test pipeline gives images of different
            sizes.
        mean, std: Of a classifier's or backbone's images, in units of 0 … 255 and in the order R,
            G, B; by default those that its named weights are known to need.

    Returns:
        The file or folder.

    Raises:
        FileExistsError: `out` exists.
        FileNotFoundError: No such config or checkpoint.
        OSError: `out` cannot be written.
        ImportError: What the format needs is not installed, or PyTorch is older than 2.7.
        ValueError: The model cannot be exported, or `out` has another suffix than the format; or
            int8 costs more accuracy than `max_drop`.
    """
    if not hasattr(torch.compiler, 'is_exporting'):
        raise ImportError(f'export needs PyTorch 2.7 or later, got {torch.__version__}')
    path = Path(OUT.get(format, format) if out is None else out)
    check_precision(precision, data, max_drop)
    check_out(path, format, precision)
    request = Request(size, batch, post, format, precision, multiple)
    subject = _subject(config, checkpoint, post, mean, std)
    settled = settle(subject, request)
    metadata = subject.metadata(settled)
    source: Any = config
    opened = opened_data(source, data, metadata.classes) if precision == 'int8' else nullcontext()
    with opened as own:
        parts, metadata = _traced(subject, settled, metadata)
        if own is not None and isinstance(subject, Trained):
            model, metadata = in_int8(parts, metadata, subject.predictor, own, format, max_drop)
        else:
            model = _stored(parts, metadata, format)
    written = write(model, metadata, path, format)
    print_log(f'{path}: {_summary(metadata)}, {written / 1e6:.1f} MB', logger='current')
    if isinstance(subject, Trained) and (line := _padding(subject, metadata, format)):
        print_log(line, logger='current')
    return path


def _padding(subject: Trained, metadata: Metadata, form: str) -> str:
    """Return how a file of one size pads other images than PyTorch does; '' if it does not."""
    config = subject.predictor.config
    test: Any = metadata.preprocessor.get('test_cfg') or {}
    padded = any(type_name(step) == 'Pad' for step in metadata.pipeline) or test.get('size')
    stages = metadata.task not in ('detection', 'semantic') or 'rcnn' in metadata.nms
    if metadata.size is None or padded or stages or pads_alike(config, metadata):
        return ''
    divisor = padding_multiple(config)
    theirs = f'pads to multiples of {divisor}' if divisor else 'does not pad'
    line = f'images of other shapes are padded to this size, where PyTorch {theirs}: scores differ'
    if form not in ANY_SIZE or not divisor:
        return line
    try:
        subject.check_multiple(divisor)
    except ValueError:
        return line
    return f'{line} (--multiple {divisor} pads as PyTorch does)'


def _subject(
    config: str | os.PathLike[str] | Config | nn.Module,
    checkpoint: str | None,
    post: str | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> Subject:
    if isinstance(config, nn.Module) or is_name(config):
        return bare_network(config, checkpoint, post, mean, std)
    if is_exported(config) or is_exported(checkpoint):
        file = config if is_exported(config) else checkpoint
        raise ValueError(f'{file} is an exported file: expected a work folder or a checkpoint')
    if mean is not None or std is not None:
        raise ValueError('mean and std are those of the config: expected export without them')
    predictor = Predictor(config, checkpoint, device='cpu')
    source = checkpoint if checkpoint is not None else checkpoint_of(str(config))
    return Trained(predictor, Path(fetch(source)))


def _traced(subject: Subject, settled: Settled, metadata: Metadata) -> tuple[Parts, Metadata]:
    """Trace a model; return it in float32, and complete its metadata."""
    multiple, any_batch = settled.multiple, settled.batch is None
    # torch.export takes a batch of one for a constant.
    images = torch.zeros(settled.batch or 2, subject.channels, *settled.sides)
    given = subject.model, subject.task, images, settled.post, any_batch
    if multiple is None:
        parts = maker(settled.format).trace(*given)
    else:
        parts = any_size_trace(settled.format)(*given, multiple)
    found = dict(outputs=subject.described(parts.outputs), precision=settled.precision)
    free = {} if multiple is None else dict(size=None, multiple=multiple)
    return parts, replace(metadata, **{**found, **free, **parts.details})


def _stored(parts: Parts, metadata: Metadata, form: str) -> Any:
    """Return a complete model with weights of the metadata's precision."""
    if metadata.precision != 'fp32':
        parts = stored(parts, metadata, form)
    return parts.joined()


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
