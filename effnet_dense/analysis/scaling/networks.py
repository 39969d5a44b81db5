"""List the published networks by task: how each is built, its input size, its accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mmdet.models.detectors.base_detr import DetectionTransformer
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from effnet_dense.analysis.detector import DetectorNetwork
from effnet_dense.analysis.memory.model import build_model
from effnet_dense.analysis.scaling import published
from effnet_dense.analysis.scaling.query_network import QueryNetwork, has_query_head
from effnet_dense.deployment import tensor_parts
from effnet_dense.engine.config import load_config
from effnet_dense.models import EfficientNet, EfficientNetClassifier
from effnet_dense.scaling import DETECTORS, FAMILIES, Detector, architecture, compound, detector

TASKS = ('classification', 'detection', 'segmentation')
FAMILY_NAMES = ('b', 'lite', 'edgetpu', 'v2')
SEGMENTOR = 'efficientdet_d4_seg_voc2012'
SEGMENTOR_SIZE = 512


@dataclass(frozen=True)
class Network:
    """A network to count or time.

    Args:
        name: 'b0', 'd0', 'phi 2.4'.
        make: Builds it with random weights; (N, 3, H, W) → tensors.
        arch: Its backbone's, as `effnet_dense.scaling.architecture` takes it.
        size: Height and width of its images, in pixels.
        accuracy: The published accuracy.
        detector: The sizes of a detector.
    """

    name: str
    make: Callable[[], nn.Module]
    arch: str | Mapping[str, Any]
    size: int
    accuracy: published.Published | None = None
    detector: Detector | None = None

    def at(self, size: int | None) -> Network:
        """Return the network at another image size; None keeps the size."""
        return self if size is None else replace(self, size=size)


class DenseNetwork(nn.Module):
    """A detector's or segmentor's modules from images to dense predictions, in sequence.

    For two-stage detectors these are backbone, neck and RPN: the rest depends on proposals.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(tensor_parts(model).values())

    def forward(self, x: Tensor) -> Any:
        """(N, 3, H, W) → the last module's predictions."""
        for part in self.parts:
            x = part(x)
        return x


class TransformerNetwork(nn.Module):
    """A DETR's modules from images to its queries' predictions, which are no sequence.

    Args:
        model: Of mmdet's `DetectionTransformer`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Any:
        """(N, 3, H, W), images without padding → class logits and boxes."""
        size = tuple(x.shape[-2:])
        meta = dict(batch_input_shape=size, img_shape=size)
        return self.model(x, [DetDataSample(metainfo=meta) for _ in x], mode='tensor')


def published_networks(task: str, family: str | None = None) -> list[Network]:
    """Return the networks of a task in the order of their sizes.

    Args:
        task: One of `TASKS`.
        family: One of `FAMILY_NAMES`, or None for all. Detectors have 'b' (D0–D7x) and 'lite'.

    Raises:
        ValueError: An unknown task or family, or one without a network.
    """
    if task not in TASKS:
        raise ValueError(f'task must be one of {", ".join(TASKS)}, got {task!r}')
    if family is not None and family not in FAMILY_NAMES:
        raise ValueError(f'family must be one of {", ".join(FAMILY_NAMES)}, got {family!r}')
    if task == 'detection':
        networks = [_published_detector(name) for name in DETECTORS]
    elif task == 'classification':
        networks = [_classifier(name) for name in FAMILIES]
    else:
        networks = [_segmentor(name) for name in FAMILIES]
    found = [network for network in networks if family in (None, family_of(network.name))]
    if not found:
        raise ValueError(f'no network of the family {family!r} is published for {task}')
    return found


def family_of(name: str) -> str:
    """Return the family of a published name, one of `FAMILY_NAMES`."""
    if name.startswith(('lite', 'v2')):
        return 'lite' if name.startswith('lite') else 'v2'
    return 'edgetpu' if name in ('es', 'em', 'el') else 'b'


def backbone_network(name: str, arch: str | Mapping[str, Any], size: int) -> Network:
    """Return C3–C5 of an architecture, without a classifier's last layers."""
    return Network(name, partial(EfficientNet, arch), arch, size)


def backbone_of_phi(phi: float) -> Network:
    """Return the backbone of compound scaling's φ, at its resolution."""
    return backbone_network(f'phi {phi:g}', dict(phi=phi), compound(phi).resolution)


def published_backbones() -> list[Network]:
    """Return B0–B8."""
    names = [name for name in FAMILIES if family_of(name) == 'b' and name != 'l2']
    return [backbone_network(name, name, architecture(name).resolution) for name in names]


def detector_network(name: str, sizes: Detector) -> Network:
    """Return an EfficientDet with 90 classes, without losses and post-processing."""
    return Network(
        name, partial(DetectorNetwork, sizes), sizes.arch, sizes.image_size, detector=sizes
    )


def build_dense_network(config: Config) -> nn.Module:
    """Build a config's modules from images to dense predictions, with random weights."""
    model = build_model(config)
    if isinstance(model, DetectionTransformer):
        return TransformerNetwork(model)
    return QueryNetwork(model) if has_query_head(model) else DenseNetwork(model)


def build_on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    """Build a network on the meta device: its tensors have shapes, but no values or memory."""
    init_default_scope('mmdet')
    return make().to('meta')


def _published_detector(name: str) -> Network:
    network = detector_network(name, detector(name))
    return replace(network, accuracy=published.DETECTORS.get(name))


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
        name, partial(_build_segmentor, name), name, SEGMENTOR_SIZE, published.SEGMENTORS.get(name)
    )


def _build_segmentor(arch: str) -> nn.Module:
    config = load_config(SEGMENTOR)
    config.model.backbone.update(arch=arch, init_cfg=None)
    config.model.neck.in_channels = list(architecture(arch).channels()[2:6])
    return build_dense_network(config)
