"""`Predictor(config, 'effdet://…')` finds what effdet finds, with its own images and anchors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from effnet_dense.engine.config import load_config
from effnet_dense.inference import Predictor
from effnet_dense.settings import Settings
from effnet_dense.weights.detector_rows import COCO_USED
from tests.helpers import peers
from tests.helpers.released import release
from tests.helpers.tiers import slow_except

SIZE = 256
CASES = {
    'tf_efficientdet_d0': 'efficientdet_d0_coco',
    'tf_efficientdet_d0_ap': 'efficientdet_d0_coco',
    'efficientdet_d0': 'efficientdet_d0_coco',
    'tf_efficientdet_lite0': 'efficientdet_lite0_coco',
}


def image() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Coloured blots, BGR, lower than wide: there is a border below."""
    blots = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(blots, (SIZE, SIZE * 3 // 4), interpolation=cv2.INTER_CUBIC))


def as_effdet_prepares(peer: nn.Module, pixels: Any) -> Tensor:
    """(1, 3, SIZE, SIZE), by effdet's mean, std and fill colour."""
    given = pytest.importorskip('effdet.data.input_config').resolve_input_config({}, peer.config)
    mean, std = (255 * torch.tensor(given[key]) for key in ('mean', 'std'))
    canvas = torch.empty(SIZE, SIZE, 3)
    canvas[:] = mean if given['fill_color'] == 'mean' else torch.tensor(given['fill_color'])
    canvas[: len(pixels)] = torch.from_numpy(pixels[..., ::-1].copy())
    return ((canvas - mean) / std).permute(2, 0, 1)[None]


def keep_apart_(peer: nn.Module, batch: Tensor) -> None:
    """Scale predictions: no score saturates, no box is clamped, no unused class is found."""
    unused = [i for i in range(90) if i + 1 not in COCO_USED]
    with torch.no_grad():
        for net, largest in ((peer.class_net, 4), (peer.box_net, 1)):
            layer = net.predict.conv_pw
            bias = layer.bias.clone()
            layer.bias.zero_()
            outputs = net(peer.fpn(peer.backbone(batch)))
            layer.weight *= largest / max(level.abs().max() for level in outputs)
            layer.bias.copy_(bias)
        peer.class_net.predict.conv_pw.bias.view(-1, 90)[:, unused] = -1000


@pytest.mark.parametrize('name', slow_except(CASES, 'tf_efficientdet_d0_ap'))
def test_the_same_detections(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from effdet import DetBenchPredict

    peer = peers.build_effdet_detector(name, (SIZE, SIZE))
    pixels = image()
    batch = as_effdet_prepares(peer, pixels)
    peers.separate_scores_(peer, batch)
    keep_apart_(peer, batch)
    path = release(peer, f'effdet://{name}', tmp_path, monkeypatch)

    info = dict(img_scale=torch.ones(1), img_size=torch.tensor([[SIZE, len(pixels)]]))
    with torch.no_grad():
        theirs = DetBenchPredict(peer)(batch, info)[0]
    theirs = theirs[theirs[:, 4] > 0]
    labels = torch.tensor([COCO_USED.index(int(number)) for number in theirs[:, 5]])

    options = {'model.test_cfg.nms': dict(type='nms', iou_threshold=0.5, _delete_=True)}
    config = load_config(CASES[name], None, options, settings=Settings(image_size=(SIZE, SIZE)))
    before = config.model.to_dict()
    for source in (f'effdet://{name}', str(path)):
        found = Predictor(config, source, 'cpu', runtime='pytorch')(pixels).pred_instances
        assert config.model.to_dict() == before
        assert len(found) == len(theirs) > 50
        alike = found.labels[:, None] == labels
        alike &= (found.scores[:, None] - theirs[:, 4]).abs() < 1e-4
        alike &= (found.bboxes[:, None] - theirs[:, :4]).abs().amax(2) < 1e-2
        assert alike.any(1).all()
        assert alike.any(0).all()
