"""Every published detector's weights load into the config that the table names for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmdet
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from effnet_dense.engine.config import load_config
from effnet_dense.engine.settings.published_detector import fitted_to_detector
from effnet_dense.models import EfficientNet
from effnet_dense.weights import load_weights
from effnet_dense.weights.coco_detectors import COCO_DETECTORS, CocoDetector
from tests.helpers import peers
from tests.helpers.project_names import project_name
from tests.helpers.released import release
from tests.helpers.tiers import slow_except

FAST = ('effdet://efficientdet_d0', 'effdet://tf_efficientdet_lite1')
RETINANET = 'mmdet://retinanet_effb3_fpn_8xb4-crop896-1x_coco'


class Flat(nn.Module):
    """A state dict whose tensors share one element: a small file for a large network."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self._state = {
            key: torch.zeros((), dtype=value.dtype).expand(value.shape)
            for key, value in state.items()
        }

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        return self._state


def released_state(row: CocoDetector, model: nn.Module) -> dict[str, Tensor]:
    """Return tensors with the names and shapes of a release."""
    scheme, _, name = row.source.partition('://')
    if scheme == 'effdet':
        effdet = pytest.importorskip('effdet')
        with torch.device('meta'):
            peer = effdet.EfficientDet(effdet.get_efficientdet_config(name), False)
        return dict(peer.state_dict())
    if row.head == 'EfficientDetHead':
        return {project_name(key): value for key, value in model.state_dict().items()}
    return dict(stock_retinanet().state_dict())


def stock_retinanet(*sources: str) -> nn.Module:
    """Build mmdet's own RetinaNet-B3, as its config names it, fitted to sources."""
    folder = Path(mmdet.__file__).parent / '.mim' / 'configs' / 'efficientnet'
    if not folder.is_dir():
        pytest.skip('this mmdet comes without its configs')
    config = Config.fromfile(folder / f'{RETINANET.partition("://")[2]}.py')
    for source in sources:
        config = fitted_to_detector(config, source)
    config.model.backbone.norm_cfg.type = 'BN'
    return MODELS.build(config.model)


def test_mmdets_own_config_is_fitted_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    init_default_scope('mmdet')
    model = stock_retinanet(RETINANET)
    assert not isinstance(model.backbone, EfficientNet)
    release(Flat(dict(model.state_dict())), RETINANET, tmp_path, monkeypatch)
    assert load_weights(model, RETINANET).missing == ()


@pytest.mark.parametrize('source', slow_except(COCO_DETECTORS, *FAST))
def test_weights_fit_the_config(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = COCO_DETECTORS[source]
    config = fitted_to_detector(load_config(row.config), source)
    init_default_scope('mmdet')
    config.model.backbone.norm_cfg.type = config.model.neck.norm_cfg.type = 'BN'
    model = MODELS.build(config.model)
    release(Flat(released_state(row, model)), source, tmp_path, monkeypatch)
    report = load_weights(model, source)
    assert report.missing == report.unexpected == ()


def test_what_is_set_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config('efficientdet_d0_coco')
    plain = config.model.to_dict()
    assert fitted_to_detector(config, 'effdet://tf_efficientdet_d0').model.to_dict() == plain
    assert capsys.readouterr().out == ''
    fitted = fitted_to_detector(config, 'effdet://tf_efficientdet_d0_ap')
    assert capsys.readouterr().out == (
        'effdet://tf_efficientdet_d0_ap: its weights require mean [127.5, 127.5, 127.5], '
        'std [127.5, 127.5, 127.5], pad_value -1.0, which is set\n'
    )
    assert fitted.model.data_preprocessor.batch_augments[0].img_pad_value == -1
    # And back, from a config that was fitted to others.
    assert fitted_to_detector(fitted, 'effdet://tf_efficientdet_d0').model.pop(
        'data_preprocessor'
    ) == {**plain['data_preprocessor'], 'pad_value': 0.0} | {
        'batch_augments': [{**plain['data_preprocessor']['batch_augments'][0], 'img_pad_value': 0}]
    }
    fitted_to_detector(config, 'effdet://efficientdet_d0')
    said = capsys.readouterr().out
    for part in (
        'padding symmetric',
        'eps 1e-05',
        'padding of the neck symmetric',
        'conv_bias Fal',
    ):
        assert part in said
    assert config.model.to_dict() == plain


def test_the_projects_own_config_stays() -> None:
    source = 'mmdet://efficientdet_effb3_bifpn_8xb16-crop896-300e_coco'
    config = load_config('efficientdet_d3_coco')
    config.model.bbox_head.type = 'EfficientDetSepBNHead'
    config.model.neck.type = 'BiFPN'
    assert fitted_to_detector(config, source).model.to_dict() == config.model.to_dict()


@pytest.mark.parametrize('name', ['effnet_lite0_retinanet_finetune', 'effnet_b0_fcos_coco'])
def test_another_head_is_refused(name: str) -> None:
    message = (
        r'tf_efficientdet_lite0 is a complete detector: EfficientNet, BiFPN, EfficientDetHead; '
        r'this config has EfficientNet, FPN, \w+: take one with these, such as effic'
    )
    with pytest.raises(ValueError, match=message):
        fitted_to_detector(load_config(name), 'effdet://tf_efficientdet_lite0')


def test_another_size_names_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = 'effdet://tf_efficientdet_lite0'
    peer = peers.build_effdet_detector('tf_efficientdet_lite0', (128, 128))
    release(peer, source, tmp_path, monkeypatch)
    config = fitted_to_detector(load_config('efficientdet_d0_coco'), source)
    config.model.backbone.norm_cfg.type = config.model.neck.norm_cfg.type = 'BN'
    init_default_scope('mmdet')
    with pytest.raises(ValueError, match='it fits the config efficientdet_lite0_coco'):
        load_weights(MODELS.build(config.model), source)
