"""Before anything is traced, what the user does not say is filled in, and the rest refused."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from effnet_dense.engine.config import load_config
from effnet_dense.exporting import export, exporter
from effnet_dense.exporting.input_size import check_multiple
from effnet_dense.exporting.request import Request, settle
from tests.helpers.exported_models import Files
from tests.helpers.small_network import write_coloured
from tests.helpers.tiny_models import detector, mask_rcnn, saved, segmentor


class Differing:
    """A segmentor whose test pipeline gives images of different sizes."""

    model = nn.Identity()
    task = 'semantic'
    channels = 3

    def __init__(self, multiple: int | None) -> None:
        self.multiple = multiple

    def default_post(self, posts: Sequence[str]) -> str:
        return posts[0]

    def default_multiple(self) -> int | None:
        return self.multiple

    def sides(self, size: tuple[int, int] | None) -> tuple[int, int]:
        if size is None:
            raise ValueError('give --size H W')
        return size

    def check_multiple(self, multiple: int) -> None:
        assert multiple % 32 == 0

    def metadata(self, settled: Any) -> Any:
        raise NotImplementedError

    def described(self, outputs: Sequence[str]) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize('form', ['onnx', 'openvino'])
def test_images_of_different_sizes_make_a_file_of_every_size(form: str) -> None:
    settled = settle(Differing(128), Request(format=form))
    assert settled.multiple == 128 and settled.sides == (128, 128)
    settled = settle(Differing(128), Request(format=form, multiple=256))
    assert settled.multiple == 256
    settled = settle(Differing(128), Request(format=form, size=(96, 64)))
    assert settled.multiple is None and settled.sides == (96, 64)


def test_what_takes_one_size_asks_for_it() -> None:
    with pytest.raises(ValueError, match='give --size'):
        settle(Differing(None), Request(format='onnx'))
    with pytest.raises(ValueError, match='give --size'):
        settle(Differing(128), Request(format='torch'))


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    def trace(*_: object) -> None:
        raise AssertionError('traced')

    monkeypatch.setattr(exporter, '_traced', trace)


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Checkpoints of small models by name."""
    folder = tmp_path_factory.mktemp('checkpoints')
    configs = {
        'bifpn': segmentor('effnet_lite0_bifpn_camvid'),
        'mask_rcnn': mask_rcnn(),
        'retinanet': detector(),
    }
    return {name: (c, saved(c, folder / f'{name}.pth')) for name, c in configs.items()}


@pytest.mark.parametrize(
    ('name', 'given', 'message'),
    [
        ('bifpn', dict(multiple=48), 'multiple of 32, as EncoderDecoder with BiFPN needs it'),
        ('bifpn', dict(precision='int8', data='DATA'), 'the classes of the model, .* got red'),
        ('bifpn', dict(batch=0), 'batch to be an integer of at least 1, got 0'),
        ('bifpn', dict(batch='2'), "batch to be an integer of at least 1, got '2'"),
        ('bifpn', dict(multiple=32.0), r'multiple to be an integer of at least 1, got 32\.0'),
        ('bifpn', dict(size=320), r'size to be \(height, width\), two integers .*, got 320'),
        ('bifpn', dict(size=(64.0, 64)), r'two integers of at least 1, got \(64\.0, 64\)'),
        ('mask_rcnn', dict(multiple=128), 'MaskRCNN is exported with one height and width'),
        ('mask_rcnn', dict(precision='int8'), 'int8 is for single-stage .*, got MaskRCNN'),
        ('mask_rcnn', dict(format='torch'), 'masks, second stage or queries .try onnx or op'),
        ('retinanet', dict(precision='int8', post='raw'), 'int8 needs predictions, .* post raw'),
        ('retinanet', dict(size=(np.int64(70), np.int64(64))), 'multiples of 32, got 70 × 64'),
        ('retinanet', dict(multiple=96), 'to be 32, 64, or a multiple of 128, the coarsest .* 96'),
        (
            'retinanet',
            dict(multiple=160),
            'to be 32, 64, or a multiple of 128, the coarsest .* 160',
        ),
        ('retinanet', dict(multiple=32, format='torch'), 'take one size: .* format onnx or open'),
    ],
)
def test_options(
    files: Files, name: str, given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    if 'data' in given:
        given['data'] = write_coloured(tmp_path / 'data')
    out = tmp_path / ('a.pt2' if given.get('format') == 'torch' else 'a.onnx')
    with pytest.raises(ValueError, match=message):
        export(files[name][0], str(files[name][1]), out, **given)
    assert not out.exists()


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('model.test_cfg.nms.type', 'nms_match', "nms.type to be 'nms' or 'soft_nms', got 'nms_ma"),
        (
            'model.test_cfg.nms',
            dict(type='soft_nms', method='cubic'),
            "nms.method to be .*'linear', 'naive'.*, got 'cubic'",
        ),
        ('test_dataloader.dataset.pipeline.1.clip_object_border', 1j, 'numbers, texts .* got 1j'),
    ],
)
def test_configs(files: Files, key: str, value: Any, message: str, tmp_path: Path) -> None:
    config = copy.deepcopy(files['retinanet'][0])
    *nodes, last = (int(part) if part.isdigit() else part for part in key.split('.'))
    node: Any = config
    for part in nodes:
        node = node[part]
    node[last] = value
    with pytest.raises(ValueError, match=message):
        export(config, str(files['retinanet'][1]), tmp_path / 'a.onnx', size=(64, 64))


def test_pooling_to_a_grid() -> None:
    init_default_scope('mmseg')
    model = MODELS.build(load_config('effnet_b5_upernet_ade20k').model)
    with pytest.raises(ValueError, match=r'on which its pooling to 2 × 2 cells depends: expected'):
        check_multiple(model, 32)
    check_multiple(nn.Sequential(nn.AdaptiveAvgPool2d(1)), 64)
