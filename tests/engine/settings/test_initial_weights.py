"""`--weights`: what the backbone starts from, and what belongs to it."""

from __future__ import annotations

from pathlib import Path

import mmdet
import pytest
from mmengine.config import Config

from effnet_dense.engine.config import load_config
from effnet_dense.engine.settings.initial_weights import set_initial_weights
from effnet_dense.settings import Settings
from effnet_dense.weights import check_normalisation

NAME = 'effnet_lite0_retinanet_finetune'


def test_a_named_source_brings_its_normalisation_padding_and_eps() -> None:
    config = load_config(NAME, settings=Settings(weights='torchvision://efficientnet_b0'))
    check_normalisation(config)
    backbone = config.model.backbone
    assert backbone.init_cfg == dict(type='Pretrained', checkpoint='torchvision://efficientnet_b0')
    assert (backbone.padding, backbone.norm_cfg.eps) == ('symmetric', 1e-5)
    assert config.model.data_preprocessor.mean == pytest.approx([123.675, 116.28, 103.53])


def test_no_weights_train_all_layers_and_norms() -> None:
    config = load_config(NAME)
    config.model.backbone.frozen_stages = 2
    config.load_from = 'detector.pth'
    set_initial_weights(config, 'none')
    backbone = config.model.backbone
    assert (backbone.init_cfg, backbone.norm_eval, backbone.frozen_stages) == (None, False, 0)
    assert config.load_from is None


def test_no_weights_of_a_resnet() -> None:
    path = Path(mmdet.__file__).parent / '.mim/configs/retinanet/retinanet_r50-caffe_fpn_1x_coco.py'
    config = Config.fromfile(path)
    set_initial_weights(config, 'none')
    backbone = config.model.backbone
    assert (backbone.init_cfg, backbone.norm_eval, backbone.frozen_stages) == (None, False, -1)
    assert backbone.norm_cfg.requires_grad


def test_random_weights_of_another_network_need_no_source() -> None:
    config = load_config(NAME, settings=Settings(backbone='b5', weights='none'))
    assert config.model.backbone.init_cfg is None
    assert not config.model.backbone.norm_eval


def test_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"--weights: no file 'absent\.pth'"):
        load_config(NAME, settings=Settings(weights='absent.pth'))
    (tmp_path / 'b0.pth').touch()
    config = load_config(NAME, settings=Settings(weights=str(tmp_path / 'b0.pth')))
    assert config.model.backbone.init_cfg.checkpoint == str(tmp_path / 'b0.pth')
    assert config.model.data_preprocessor.mean == [127.5] * 3  # a file does not state it


def test_unknown_sources() -> None:
    with pytest.raises(ValueError, match='Invalid pretrained tag'):
        load_config(NAME, settings=Settings(weights='timm://tf_efficientnet_b0.absent'))


def test_two_starts() -> None:
    with pytest.raises(ValueError, match='name two starts'):
        load_config(NAME, settings=Settings(weights='none', from_detector='detector.pth'))


def test_mmdets_own_efficientnet_has_another_argument() -> None:
    folder = Path(mmdet.__file__).parent / '.mim' / 'configs' / 'efficientnet'
    path = folder / 'retinanet_effb3_fpn_8xb4-crop896-1x_coco.py'
    if not path.is_file():
        pytest.skip('this mmdet comes without its configs')
    symmetric = Settings(weights='torchvision://efficientnet_b3')
    backbone = load_config(path, settings=symmetric).model.backbone
    assert (backbone.conv_cfg.type, backbone.norm_cfg.eps) == ('Conv2d', 1e-5)
    assert 'padding' not in backbone
    pytest.importorskip('timm')
    same = Settings(weights='timm://tf_efficientnet_b3.aa_in1k')
    assert not {'padding', 'conv_cfg'} & load_config(path, settings=same).model.backbone.keys()
