"""Give an exported model the precision that the user wishes, and measure what it costs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log

from effnet_dense.data import check_data_files
from effnet_dense.engine.config import load_config
from effnet_dense.exporting.accuracy import Accuracy, check_classes, measure
from effnet_dense.exporting.calibration import CalibrationImages, training_images
from effnet_dense.exporting.formats import OUT, maker, write
from effnet_dense.exporting.int8 import MAX_DROP, quantise
from effnet_dense.exporting.maker import Parts
from effnet_dense.exporting.raw_outputs import largest_difference
from effnet_dense.inference.predictor import Predictor
from effnet_dense.runtimes.inputs import input_sides
from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.utils.counted import counted

PRECISIONS = ('fp32', 'fp16', 'int8', 'int8-weights')
FEW = 32
"""Calibration images below which is warned."""


def check_precision(precision: str, data: Any, max_drop: float | None) -> None:
    """Check a precision before any work.

    Raises:
        ValueError: There is no such precision, or it takes no data or limit.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f'expected precision to be one of {", ".join(PRECISIONS)}, got {precision!r:.60}'
        )
    for name, value in (('data', data), ('max_drop', max_drop)):
        if precision != 'int8' and value is not None:
            raise ValueError(f'{name} is for precision int8 only, got it with {precision}')
    if max_drop is not None and not 0 <= max_drop < 1:
        raise ValueError(f'expected max_drop of at least 0 and below 1, got {max_drop!r:.60}')


class Data(NamedTuple):
    """A model's config with the data for int8, and the paths of images that give ranges."""

    config: Config
    images: Sequence[str]


@contextmanager
def opened_data(
    config: str | os.PathLike[str] | Config,
    data: str | os.PathLike[str] | None,
    classes: Sequence[str],
) -> Iterator[Data]:
    """Yield the data for int8, of which nothing is left afterwards.

    Args:
        config: See `effnet_dense.export`.
        data: A folder as `--data` takes it; None: the config's own data.
        classes: The model's.

    Raises:
        FileNotFoundError: A file of the data is missing.
        ValueError: It has other classes, or no training images.
    """
    source = config if isinstance(config, Config) else str(config)
    with TemporaryDirectory(prefix='effnet_dense-data-') as scratch:
        loaded = load_config(source, data=None if data is None else str(data), work_dir=scratch)
        check_data_files(loaded, ('train', 'test'))
        check_classes(loaded, classes)
        yield Data(loaded, training_images(loaded))


def stored(parts: Parts, metadata: Metadata, form: str) -> Parts:
    """Store the network's weights in the metadata's precision; log what it changes."""
    own = maker(form)
    result = own.stored(parts, metadata.precision)
    runners = [own.runner(each.network) for each in (result, parts)]
    if None in runners:
        print_log(f'{metadata.precision}: not compared: no {form} file runs here', 'current')
        return result
    shape = (metadata.batch or 1, len(metadata.mean), *input_sides(metadata, 1, 1))
    images = np.random.default_rng(0).standard_normal(shape, np.float32)
    found, expected = (run(images) for run in runners if run is not None)
    print_log(
        f'{metadata.precision}: raw outputs of noise differ from those of float32 by at most '
        f'{largest_difference(found, expected):.1e} of their largest',
        logger='current',
    )
    return result


def in_int8(
    parts: Parts,
    metadata: Metadata,
    predictor: Predictor,
    data: Data,
    form: str,
    max_drop: float | None,
) -> tuple[Any, Metadata]:
    """Quantise a model as far as its accuracy holds.

    Args:
        parts: The model in float32.
        metadata: Its own.
        predictor: The model in PyTorch, which prepares images.
        data: See `opened_data`.
        form: Of the file.
        max_drop: See `exporting.int8.quantise`; None: its default.

    Returns:
        The complete model, and the metadata with its accuracy.

    Raises:
        ValueError: See `exporting.int8.quantise`.
    """
    images = CalibrationImages(predictor, metadata, data.images)
    few = f', fewer than {FEW}: ranges may be too narrow' if len(images) < FEW else ''
    print_log(f'int8: calibrated with {counted(len(images), "training image")}{few}', 'current')
    quantiser = maker(form).quantiser(parts, images)
    numbers = count()
    with TemporaryDirectory(prefix='effnet_dense-export-') as scratch:

        def evaluate(model: Any) -> Accuracy:
            path = Path(scratch, str(next(numbers)), OUT[form])
            write(model, metadata, path, form)
            return measure(path, data.config)

        limit = MAX_DROP if max_drop is None else max_drop
        found = quantise(parts, quantiser, evaluate, limit)
    return found.model, replace(metadata, accuracy=found.as_dict())
