"""`--from effdet://…`: a training of other classes starts from a published detector."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from effnet_dense.engine import class_rows
from effnet_dense.engine.config import load_config
from effnet_dense.engine.runner import Runner
from effnet_dense.settings import Settings
from effnet_dense.weights.coco_detectors import COCO_DETECTORS
from tests.helpers import peers
from tests.helpers.released import release
from tests.helpers.setting_runs import tiny_run
from tests.helpers.tiny import write_data

SOURCE = 'effdet://tf_efficientdet_lite0'
NAME = 'efficientdet_lite0_finetune'
CLASS_LAYER = 'class_net.predict.conv_pw'
ANCHORS, PERSON = 9, 0  # COCO's first class, by its number and by its name


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """effdet's Lite0, whose weights are in the cache under the release's name."""
    model = peers.build_effdet_detector('tf_efficientdet_lite0', (128, 128))
    release(model, SOURCE, tmp_path / 'hub', monkeypatch)
    return model


def test_a_step_with_other_classes(
    peer: torch.nn.Module,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = write_data(tmp_path / 'data', train=2, val=1, classes=('gadget', 'person'))
    settings = Settings(from_detector=SOURCE, image_size=(64, 64))
    config = tiny_run(NAME, data, tmp_path / 'run', settings)
    said: list[str] = []
    real = class_rows.message
    monkeypatch.setattr(class_rows, 'message', lambda *args: said.append(real(*args)) or said[-1])
    starts = {}

    class Watched(Runner):
        """Keeps what the first step starts from."""

        def load_or_resume(self) -> None:
            super().load_or_resume()
            starts.update({k: v.clone() for k, v in self.model.state_dict().items()})

    runner = Watched.from_cfg(config)
    runner.train()

    given = peer.state_dict()[f'{CLASS_LAYER}.weight'].unflatten(0, (ANCHORS, 90))
    new = starts['bbox_head.cls_predict.pointwise.weight'].unflatten(0, (ANCHORS, 2))
    assert torch.equal(new[:, 1], given[:, PERSON])
    assert not any(torch.equal(new[:, 0], given[:, i]) for i in range(90))
    theirs = peer.state_dict()['box_net.conv_rep.1.conv_pw.weight']
    assert torch.equal(starts['bbox_head.reg_convs.1.pointwise.weight'], theirs)
    assert f'{SOURCE} was trained with 80 classes' in said[0]
    assert '1 of 2 classes keep their weights (person); 1 begin anew (gadget)' in said[0]

    after = runner.model.state_dict()
    assert all(torch.isfinite(value).all() for value in after.values())
    key = 'bbox_head.cls_predict.pointwise.weight'
    assert not torch.equal(after[key], starts[key])
    fixed = 'backbone.layers.0.bn.running_mean'
    assert torch.equal(after[fixed], starts[fixed])
    names = {id(parameter): name for name, parameter in runner.model.named_parameters()}
    for group in runner.optim_wrapper.optimizer.param_groups:
        fresh = 'cls_predict' in names[id(group['params'][0])]
        assert group['lr'] == pytest.approx(0.016 if fresh else 0.0016)
    assert (
        '--from: the learning rate is 0.0016 in place of 0.016, since the network comes trained, '
        'and 0.016 for bbox_head.cls_predict'
    ) in capsys.readouterr().out


def test_other_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = peers.build_effdet_detector('tf_efficientdet_d0', (128, 128))
    source = 'effdet://tf_efficientdet_d0_ap'  # of the same network
    release(peer, source, tmp_path, monkeypatch)
    config = load_config('efficientdet_d0_coco', settings=Settings(from_detector=source))
    plain = load_config('efficientdet_d0_coco')
    assert config.optim_wrapper.optimizer.lr == plain.optim_wrapper.optimizer.lr / 10
    keys = {'bbox_head.cls_predict': {'lr_mult': 10.0}}
    assert config.optim_wrapper.paramwise_cfg.custom_keys == keys
    assert config.model.backbone.norm_eval
    assert config.model.backbone.init_cfg is None
    assert config.model.data_preprocessor.mean == [127.5] * 3
    assert config.model.data_preprocessor.pad_value == -1
    settings = Settings(from_detector=source, lr=0.5, freeze=2)
    config = load_config('efficientdet_d0_coco', settings=settings)
    assert config.optim_wrapper.optimizer.lr == 0.5
    assert config.model.backbone.frozen_stages == 2


def test_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))

    def refuse(*args: object) -> None:
        raise ConnectionError('no network')

    monkeypatch.setattr('effnet_dense.weights.download.save_url', refuse)
    row = COCO_DETECTORS[SOURCE]
    path = tmp_path / 'checkpoints' / f'{row.file}-{row.sha256}.pth'
    with pytest.raises(ConnectionError) as error:
        load_config(NAME, settings=Settings(from_detector=SOURCE))
    assert str(error.value) == (
        f'could not download {row.url}: no network. Download it elsewhere and pass its path, '
        f'or save it as {path}'
    )
