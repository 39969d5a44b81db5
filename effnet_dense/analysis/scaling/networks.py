"""The networks that are scaled, by task: how each is built, its size, its published accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from benchmarks.detectors import WholeDetector
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.scaling import published
from effnet_dense.deployment.deploy import tensor_parts as parts_of
from effnet_dense.engine.config import load_config
from effnet_dense.models import EfficientNet, EfficientNetClassifier
from effnet_dense.scaling import DETECTORS, FAMILIES, Detector, architecture, compound, detector

TASKS = ('classification', 'detection', 'segmentation')
FAMILY_NAMES = ('b', 'lite', 'edgetpu', 'v2')
SEGMENTOR = 'efficientdet_d4_seg_voc2012'
SEGMENTOR_SIZE = 512


@dataclass(frozen=True)
class Network:
    """One row.

    Args:
        name: 'b0', 'd0', 'phi 2.4'.
        make: Builds it with random weights; (N, 3, H, W) → tensors.
        arch: Of its backbone, as `effnet_dense.scaling.architecture` takes it.
        size: Height and width of its pictures, in pixels.
        accuracy: What was published for it.
        detector: The sizes of a detector.
    """

    name: str
    make: Callable[[], nn.Module]
    arch: str | Mapping[str, Any]
    size: int
    accuracy: published.Published | None = None
    detector: Detector | None = None

    def at(self, size: int | None) -> Network:
        """The same network for pictures of another size; None leaves it."""
        return self if size is None else replace(self, size=size)


class TensorParts(nn.Module):
    """A detector's or segmentor's parts from pictures to predictions, one after the other.

    Of two-stage detectors these are backbone, neck and RPN: what follows depends on proposals.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts_of(model).values())

    def forward(self, x: Tensor) -> Any:
        """(N, 3, H, W) → the last part's predictions."""
        for part in self.parts:
            x = part(x)
        return x


def published_networks(task: str, family: str | None = None) -> list[Network]:
    """The rows of a task's table, in the order of their sizes.

    Args:
        task: Of `TASKS`.
        family: Of `FAMILY_NAMES`; None stands for all. Detectors have 'b' (D0–D7x) and 'lite'.

    Raises:
        ValueError: An unknown task or family, or one without a row.
    """
    if task not in TASKS:
        raise ValueError(f'task must be one of {", ".join(TASKS)}, got {task!r}')
    if family is not None and family not in FAMILY_NAMES:
        raise ValueError(f'family must be one of {", ".join(FAMILY_NAMES)}, got {family!r}')
    if task == 'detection':
        rows = [_detector(name, detector(name)) for name in DETECTORS]
    elif task == 'classification':
        rows = [_classifier(name) for name in FAMILIES]
    else:
        rows = [_segmentor(name) for name in FAMILIES]
    found = [row for row in rows if family in (None, family_of(row.name))]
    if not found:
        raise ValueError(f'no network of the family {family!r} is published for {task}')
    return found


def family_of(name: str) -> str:
    """The family of a published name, one of `FAMILY_NAMES`."""
    if name.startswith(('lite', 'v2')):
        return 'lite' if name.startswith('lite') else 'v2'
    return 'edgetpu' if name in ('es', 'em', 'el') else 'b'


def backbone(name: str, arch: str | Mapping[str, Any], size: int) -> Network:
    """C3–C5 of an architecture, without what a classifier has behind them."""
    return Network(name, partial(EfficientNet, arch), arch, size)


def backbone_of_phi(phi: float) -> Network:
    """The backbone of compound scaling's φ, at its resolution."""
    return backbone(f'phi {phi:g}', dict(phi=phi), compound(phi).resolution)


def published_backbones() -> list[Network]:
    """B0–B8."""
    names = [name for name in FAMILIES if family_of(name) == 'b' and name != 'l2']
    return [backbone(name, name, architecture(name).resolution) for name in names]


def detector_network(name: str, sizes: Detector) -> Network:
    """A whole EfficientDet, without losses and boxes, of 90 classes."""
    return Network(
        name, partial(WholeDetector, sizes, 0), sizes.arch, sizes.image_size, detector=sizes
    )


def _detector(name: str, sizes: Detector) -> Network:
    return replace(detector_network(name, sizes), accuracy=published.DETECTORS.get(name))


def _classifier(name: str) -> Network:
    return Network(
        name,
        partial(EfficientNetClassifier, name),
        name,
        architecture(name).resolution,
        published.CLASSIFIERS.get(name),
    )


def _segmentor(name: str) -> Network:
    return Network(
        name, partial(_make_segmentor, name), name, SEGMENTOR_SIZE, published.SEGMENTORS.get(name)
    )


def _make_segmentor(arch: str) -> nn.Module:
    config = load_config(SEGMENTOR)
    config.model.backbone.update(arch=arch, init_cfg=None)
    config.model.neck.in_channels = list(architecture(arch).channels()[2:6])
    return tensor_parts(config)


def tensor_parts(config: Config) -> nn.Module:
    """A config's model from pictures to predictions, with random weights."""
    return TensorParts(build_model(config))


def without_memory(make: Callable[[], nn.Module]) -> nn.Module:
    """Build a network whose tensors have shapes, but neither values nor memory."""
    init_default_scope('mmdet')
    return make().to('meta')
