"""What mmseg's configs have beside ours: sliding windows, one channel, a label 0 that is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

import effnet_dense
from tests.helpers.tiny import as_arguments
from tests.helpers.tool import call
from tests.helpers.trained import SMALL_SEGMENTOR, Run, write_label_maps

Trained = Callable[[str], Run]


def predictor(run: Run, **test_cfg: object) -> effnet_dense.Predictor:
    """A predictor of a run with another `test_cfg`."""
    config = Config.fromfile(run.config)
    config.model.test_cfg = test_cfg
    return effnet_dense.Predictor(config, run.checkpoint, device='cpu')


@pytest.mark.slow
def test_sliding_windows_agree_with_the_whole_image(trained: Trained) -> None:
    """One window is the image; several differ where a window ends only.

    The test pipeline resizes images to fit 480 × 360 pixels.
    """
    run = trained('segmentor')
    whole = predictor(run, mode='whole')
    one = predictor(run, mode='slide', crop_size=(384, 384), stride=(384, 384))
    image = cv2.imread(str(run.images[0]))
    assert torch.equal(whole(image).seg_logits.data, one(image).seg_logits.data)

    large = np.tile(image, (1, 3, 1))
    slide = predictor(run, mode='slide', crop_size=(160, 320), stride=(160, 160))
    a, b = (p(large).pred_sem_seg.data for p in (whole, slide))
    assert a.shape == b.shape == (1, 64, 192)
    assert (a == b).float().mean() > 0.9


@pytest.mark.slow
def test_grey_arrays(trained: Trained) -> None:
    run = trained('segmentor')
    grey = cv2.imread(str(run.images[0]), cv2.IMREAD_GRAYSCALE)
    assert grey.ndim == 2
    model = effnet_dense.Predictor(run.config, run.checkpoint, device='cpu')
    assert torch.equal(model(grey).pred_sem_seg.data, model(run.images[0]).pred_sem_seg.data)


@pytest.mark.slow
def test_one_channel_trains_and_predicts(tmp_path: Path) -> None:
    """A head of one channel with the shipped losses, which are for one channel per class."""
    data = write_label_maps(tmp_path / 'data')
    for path in data.glob('labels/*/*.png'):
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), (labels > 0).astype(np.uint8))
    (data / 'classes.json').write_text('{"classes": ["back", "front"]}', encoding='utf-8')
    options = {**SMALL_SEGMENTOR, 'model.decode_head.num_classes': 2, 'report': False}
    options |= {'model.decode_head.out_channels': 1, 'model.decode_head.threshold': 0.5}
    work = tmp_path / 'run'
    words = ['--data', data, '--work-dir', work, *as_arguments(options)]
    assert call('train', 'effnet_lite0_fpn_camvid', *words) == 0
    model = effnet_dense.Predictor(
        work / 'effnet_lite0_fpn_camvid.py', work / 'iter_2.pth', device='cpu'
    )
    found = model(sorted(data.glob('images/val/*'))[0])
    assert found.seg_logits.data.shape[0] == 1
    assert set(found.pred_sem_seg.data.unique().tolist()) <= {0, 1}
