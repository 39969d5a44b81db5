"""Backbones and classifiers, which are exported without a config.

Shapes: N images of H × W pixels, C classes.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from effnet_dense import __version__
from effnet_dense.exporting.input_size import check_multiple
from effnet_dense.exporting.request import Settled
from effnet_dense.models import EfficientNet, EfficientNetClassifier
from effnet_dense.models.layers import DEFAULT_NORM
from effnet_dense.runtimes.metadata import Metadata
from effnet_dense.scaling import FAMILIES
from effnet_dense.utils.digests import sha256_of
from effnet_dense.utils.shipped import shipped_configs
from effnet_dense.utils.urls import public_name
from effnet_dense.weights import fetch, load_weights, source_info
from effnet_dense.weights.zoo import IMAGENET_WEIGHTS

NETWORKS = ('classification', 'features')
"""Their tasks."""
LOGITS = 'of the classes, before softmax, (N, C)'

Values = Sequence[float]


class BareNetwork:
    """See `exporting.request.Subject`.

    Args:
        model: The classifier or backbone.
        mean: Of the channels, which is subtracted from 0 … 255.
        std: By which the difference is divided.
        classes: Names in the order of the logits.
        weights: Name and local file of its weights, if they come from one.

    Raises:
        ValueError: It is another network, `mean` and `std` are not as many as its channels, or
            `std` is not positive.
    """

    def __init__(
        self,
        model: nn.Module,
        mean: Values,
        std: Values,
        classes: Sequence[str] = (),
        weights: tuple[str, Path] | None = None,
    ) -> None:
        self.model = model
        self.task = 'classification' if isinstance(model, EfficientNetClassifier) else 'features'
        self._backbone = backbone_of(model)
        self.channels = self._backbone.in_channels
        if not len(mean) == len(std) == self.channels:
            raise ValueError(
                f'expected mean and std of {self.channels} channels, got {mean} and {std}'
            )
        if not all(value > 0 for value in std):
            raise ValueError(f'expected std above 0, got {std}')
        self._mean, self._std = list(map(float, mean)), list(map(float, std))
        self._classes, self._weights = list(classes), weights

    def described(self, outputs: Sequence[str]) -> dict[str, str]:
        if self.task == 'classification':
            return {name: LOGITS for name in outputs}
        features = zip(self._backbone.out_channels, self._backbone.out_strides, strict=True)
        texts = (f'(N, {width}, H ÷ {stride}, W ÷ {stride})' for width, stride in features)
        return dict(zip(outputs, texts, strict=True))

    def default_post(self, posts: Sequence[str]) -> str:
        return posts[0]

    def sides(self, size: tuple[int, int] | None) -> tuple[int, int]:
        """Return the size, by default that at which the network was published; any is right."""
        resolution = self._backbone.architecture.resolution
        return size or (resolution, resolution)

    def default_multiple(self) -> int | None:
        return None

    def check_multiple(self, multiple: int) -> None:
        check_multiple(self.model, multiple)

    def metadata(self, settled: Settled) -> Metadata:
        name, file = self._weights or ('', None)
        return Metadata(
            task=self.task,
            model=f'{type(self.model).__name__} {self._backbone.architecture.name}',
            classes=self._classes,
            palette=[],
            size=list(settled.sides),
            batch=settled.batch,
            mean=self._mean,
            std=self._std,
            pad_value=0.0,
            channels='RGB',
            resize=None,
            post=settled.post,
            outputs={},
            nms={},
            pipeline=[],
            preprocessor={},
            checkpoint=public_name(name) if '://' in name else Path(name).name,
            sha256=sha256_of(file) if file else '',
            version=__version__,
        )


def is_name(config: Any) -> bool:
    """Whether this is the name of a network, and of no file or folder.

    Raises:
        FileNotFoundError: It is the name of nothing, but similar to those of networks.
    """
    if not isinstance(config, str | os.PathLike) or os.path.exists(config):
        return False
    name = str(config)
    near = difflib.get_close_matches(name, FAMILIES, n=3, cutoff=0.5)
    if near and name not in FAMILIES and name not in shipped_configs():
        raise FileNotFoundError(
            f'no network, config or work folder {name!r}; networks of similar names: '
            f'{", ".join(near)}'
        )
    return name in FAMILIES


def bare_network(
    config: Any,
    checkpoint: str | None,
    post: str | None,
    mean: Values | None,
    std: Values | None,
) -> BareNetwork:
    """Return a network that is exported.

    Args:
        config: A classifier, a backbone, or a name of `effnet_dense.scaling.FAMILIES`.
        checkpoint: Weights of the named network; by default those of ImageNet.
        post: 'features' for the named network's backbone, instead of the classifier.
        mean, std: See `BareNetwork`; by default those that the weights are known to need.

    Raises:
        ValueError: Nothing is known of mean and std, and they are not given; or see `load_weights`.
    """
    if isinstance(config, nn.Module):
        backbone_of(config)
        kinds = {value.dtype for value in config.parameters()} - {torch.float32}
        if kinds:
            raise ValueError(
                f'expected {type(config).__name__} in float32, got {kinds.pop()}: convert it with '
                ".float(); precision 'fp16' stores weights in 16 bits"
            )
        if checkpoint is not None:
            raise ValueError(
                f'{type(config).__name__} has its weights: expected it without {checkpoint}'
            )
        return BareNetwork(config, *_normalisation(type(config).__name__, None, mean, std))
    source = IMAGENET_WEIGHTS[config] if checkpoint is None else checkpoint
    info = source_info(source)
    given = _normalisation(public_name(source), info, mean, std)
    weights = source, fetch(source)
    options: dict[str, Any] = {}
    if info is not None:
        options = dict(padding=info.padding, norm_cfg=dict(DEFAULT_NORM, eps=info.bn_eps))
    features = post == 'features'
    model = (EfficientNet if features else EfficientNetClassifier)(config, **options)
    missing = load_weights(model, source).missing
    if missing:
        raise ValueError(
            f'{public_name(source)} lacks {", ".join(missing[:3])} of a classifier (try --post '
            'features)'
        )
    classes = () if features or info is None else imagenet_classes()
    return BareNetwork(model, *given, classes, weights)


def _normalisation(
    name: str, info: Any, mean: Values | None, std: Values | None
) -> tuple[Values, Values]:
    """Return mean and std as given, else as known."""
    if mean is None and std is None and info is not None:
        return info.mean, info.std
    if mean is None or std is None:
        raise ValueError(
            f'expected both mean and std of the images of {name}, in units of 0 … 255 and in the '
            f'order R, G, B, got mean {mean} and std {std}'
        )
    if not all(math.isfinite(value) for value in (*mean, *std)):
        raise ValueError(f'expected finite numbers, got mean {list(mean)} and std {list(std)}')
    return mean, std


def imagenet_classes() -> Sequence[str]:
    """Return ImageNet's classes, in the order that all published weights have."""
    from torchvision.models import EfficientNet_B0_Weights

    found: Sequence[str] = EfficientNet_B0_Weights.DEFAULT.meta['categories']
    return found


def backbone_of(model: nn.Module) -> EfficientNet:
    """Return the backbone of a classifier, or itself.

    Raises:
        ValueError: It is another network.
    """
    backbone = model.backbone if isinstance(model, EfficientNetClassifier) else model
    if not isinstance(backbone, EfficientNet):
        raise ValueError(
            f'expected an EfficientNetClassifier or EfficientNet, got {type(model).__name__}: '
            'detectors and segmentors are exported by their work folder, or config and checkpoint'
        )
    return backbone
