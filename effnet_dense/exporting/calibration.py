"""Training images as an exported network is given them, from which ranges are measured."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS
from numpy.typing import NDArray

from effnet_dense.data.config_walk import loop_datasets
from effnet_dense.inference.predictor import Predictor
from effnet_dense.runtimes.inputs import input_sides
from effnet_dense.runtimes.metadata import Metadata

MOST = 300
"""Images that are used, if there are more."""


def training_images(config: Config, most: int = MOST) -> list[str]:
    """Return the paths of training images, evenly spaced over all.

    Args:
        config: With the data.
        most: Their number, if there are more.

    Raises:
        ValueError: There are none.
    """
    paths: list[str] = []
    for dataset in loop_datasets(config, 'train'):
        built: Any = DATASETS.build({**copy.deepcopy(dict(dataset)), 'pipeline': []})
        paths += [built.get_data_info(index)['img_path'] for index in range(len(built))]
    if not paths:
        raise ValueError('int8 needs training images to measure ranges, the config has none')
    count = min(most, len(paths))
    return [paths[index * len(paths) // count] for index in range(count)]


class CalibrationImages:
    """Yields images (1, C, H, W), normalised and padded; may be iterated several times.

    Args:
        predictor: Whose test pipeline and preprocessor prepare them.
        metadata: Of the exported network.
        paths: Of the images.
    """

    def __init__(self, predictor: Predictor, metadata: Metadata, paths: Sequence[str]) -> None:
        self._predictor = predictor
        self._metadata = metadata
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for path in self._paths:
            yield self._prepare(path)

    def _prepare(self, path: str) -> NDArray[np.float32]:
        prepared = self._predictor.prepare(self._predictor.read(path), path)
        data = self._predictor.model.data_preprocessor(pseudo_collate([prepared]), False)
        image = data['inputs']
        height, width = input_sides(self._metadata, *image.shape[2:])
        down, right = height - image.shape[2], width - image.shape[3]
        if down < 0 or right < 0:
            raise ValueError(
                f'{path} has {image.shape[3]} × {image.shape[2]} pixels after the test pipeline, '
                f'more than the size of the exported network, {width} × {height}'
            )
        padded = F.pad(image, (0, right, 0, down), value=self._metadata.pad_value)
        return np.asarray(padded.numpy(), np.float32)
