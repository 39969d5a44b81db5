"""Configs with `in_channels`: loaders, preprocessor, training, testing, browsing, predicting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from effnet_dense import Predictor
from effnet_dense.engine.browse import browse
from effnet_dense.engine.config import load_config
from effnet_dense.engine.input_channels import input_channels
from effnet_dense.inference import infer
from effnet_dense.models import DetDataPreprocessor, SegDataPreProcessor
from tests.helpers.tiny import as_arguments, narrow_retinanet, options, write_data
from tests.helpers.tiny_models import DETECTOR, SEGMENTOR, saved
from tests.helpers.tool import call

CHANNELS = 'model.backbone.in_channels'


def loaders(config: Any) -> set[int]:
    return {
        step.get('channels', 3)
        for loop in ('train', 'val', 'test')
        for step in config[f'{loop}_dataloader'].dataset.pipeline
        if step.type.endswith('LoadImageFromFile')
    }


@pytest.mark.parametrize('name', [DETECTOR, SEGMENTOR])
@pytest.mark.parametrize('channels', [1, 2, 5])
def test_config(name: str, channels: int) -> None:
    before = load_config(name).model.data_preprocessor
    config = load_config(name, options={CHANNELS: channels})
    assert input_channels(config) == channels
    assert loaders(config) == {channels}
    preprocessor = config.model.data_preprocessor
    for key in ('mean', 'std'):
        expected = [sum(before[key]) / 3] if channels == 1 else ([*before[key]] * 2)[:channels]
        assert preprocessor[key] == expected
    assert not preprocessor.bgr_to_rgb
    assert load_config(name, options={CHANNELS: 3}).model.data_preprocessor == before
    again = load_config(name, options={CHANNELS: channels})
    assert again.to_dict() == config.to_dict()


def test_own_statistics_stay() -> None:
    own = {
        'model.data_preprocessor.mean': [1, 2, 3, 4],
        'model.data_preprocessor.std': [5, 6, 7, 8],
    }
    config = load_config(DETECTOR, options={CHANNELS: 4, **own})
    assert config.model.data_preprocessor.mean == [1, 2, 3, 4]
    with pytest.raises(ValueError, match=r'mean has 4 values, expected one for each of the 5'):
        load_config(DETECTOR, options={CHANNELS: 5, **own})


def test_loaders_of_other_channels_are_refused() -> None:
    key = 'val_dataloader.dataset.pipeline.0.channels'
    with pytest.raises(ValueError, match=r'pipeline\.0\.channels is 4, but .*in_channels is 3'):
        load_config(DETECTOR, options={key: 4})
    with pytest.raises(ValueError, match=r'pipeline\.0\.channels is 4, but .*in_channels is 5'):
        load_config(DETECTOR, options={key: 4, CHANNELS: 5})


def test_preprocessor() -> None:
    init_default_scope('mmdet')
    images = torch.randint(0, 255, (2, 4, 6, 5, 5), dtype=torch.uint8)[0]
    for count in (1, 3, 4, 6):
        mean, std = [float(i) for i in range(count)], [i + 1.0 for i in range(count)]
        built = DetDataPreprocessor(mean=mean, std=std, bgr_to_rgb=True)
        inputs = [image[:count] for image in images]
        found = built({'inputs': inputs, 'data_samples': None})['inputs']
        order = [2, 1, 0] if count == 3 else list(range(count))
        expected = torch.stack(inputs)[:, order].float()
        expected = (expected - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
        torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match='mean and std of equal length'):
        DetDataPreprocessor(mean=[1], std=None)


@pytest.mark.parametrize('takes_bands', [True, False])
@pytest.mark.parametrize('channels', [1, 4])
def test_a_segmentors_preprocessor(
    channels: int, takes_bands: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mmseg's own where it takes any number of bands, which OneDL's does not."""
    monkeypatch.setattr('effnet_dense.engine.input_channels.MMSEG_TAKES_BANDS', takes_bands)
    chosen = load_config(SEGMENTOR, options={CHANNELS: channels}).model.data_preprocessor.type
    prefix = '' if takes_bands else 'effnet_dense.'
    assert chosen.removeprefix('mmseg.') == f'{prefix}SegDataPreProcessor'


def test_a_segmentors_normalisation() -> None:
    images = torch.randint(0, 255, (2, 6, 5, 5), dtype=torch.uint8)
    for count in (1, 3, 4, 6):
        mean, std = [float(i) for i in range(count)], [i + 1.0 for i in range(count)]
        built = SegDataPreProcessor(mean, std, bgr_to_rgb=True, size=(5, 5))
        order = [2, 1, 0] if count == 3 else list(range(count))
        expected = images[:, order].float() - torch.tensor(mean).view(-1, 1, 1)
        found = built({'inputs': list(images[:, :count])})['inputs']
        torch.testing.assert_close(found, expected / torch.tensor(std).view(-1, 1, 1))
    unchanged = SegDataPreProcessor(size=(5, 5))({'inputs': list(images)})['inputs']
    assert torch.equal(unchanged, images.float())
    with pytest.raises(ValueError, match='mean and std of equal length'):
        SegDataPreProcessor(mean=[1], std=None)


def many_bands(folder: Path, count: int) -> Path:
    """The tiny COCO dataset with images of `count` bands, as .npy files or grey PNG files."""
    write_data(folder, train=2, val=1)
    for path in (folder / 'annotations').glob('*.json'):
        content = json.loads(path.read_text(encoding='utf-8'))
        for image in content['images']:
            file = folder / 'images' / path.stem / image['file_name']
            pixels = cv2.imread(str(file))
            if count == 1:
                cv2.imwrite(str(file), pixels[..., 0])
                continue
            file.unlink()
            image['file_name'] = f'{file.stem}.npy'
            np.save(file.with_suffix('.npy'), np.tile(pixels, 2)[..., :count])
        path.write_text(json.dumps(content), encoding='utf-8')
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('count', [1, 5])
def test_detector(count: int, tmp_path: Path, quiet_loggers: None) -> None:
    """Trained, tested, browsed and predicted with, from end to end."""
    data = many_bands(tmp_path / 'data', count)
    own = {**options(**{CHANNELS: count}), **narrow_retinanet(), 'train_cfg.val_interval': 1}
    work = tmp_path / 'work'
    words = ['--data', data, '--work-dir', work, *as_arguments(own)]
    assert call('train', DETECTOR, *words) == 0
    weights = work / 'epoch_1.pth'
    state = torch.load(weights, weights_only=False)['state_dict']
    assert state['backbone.layers.0.conv.weight'].shape[1] == count
    assert call('test', DETECTOR, weights, *words) == 0
    config = load_config(DETECTOR, data=data, options=own)
    for split in ('train', 'val'):
        *drawn, _ = browse(config, tmp_path / 'browse' / split, 1, split=split)
        assert Image.open(drawn[0]).mode == 'RGB'
    predictor = Predictor(config, weights)
    image = next((data / 'images/val').iterdir())
    array = np.load(image) if count > 1 else cv2.imread(str(image), cv2.IMREAD_GRAYSCALE)
    first, second = predictor(str(image)).pred_instances, predictor(array).pred_instances
    assert torch.equal(first.scores, second.scores) and len(first.scores)
    assert infer(predictor, [image], tmp_path / 'out') == []
    if count > 1:
        with pytest.raises(ValueError, match=r'expected an image of 5 channels, got \(64, 64, 3\)'):
            predictor(np.zeros((64, 64, 3), np.uint8))
    else:
        assert len(predictor(np.stack([array] * 3, axis=-1)).pred_instances.scores)


def test_segmentor_predicts_on_bands(tmp_path: Path) -> None:
    """A Config that was not loaded by `load_config` is completed, and not changed."""
    config = load_config(SEGMENTOR)
    config.model.backbone.in_channels = 4
    before = config.to_dict()
    built = load_config(SEGMENTOR, options={CHANNELS: 4})
    weights = saved(built, tmp_path / 'iter_1.pth')
    predictor = Predictor(config, weights)
    assert Config(before).to_dict() == config.to_dict()
    pixels = np.random.default_rng(0).integers(0, 255, (32, 48, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    found = predictor([str(tmp_path / 'a.png'), pixels, Image.fromarray(pixels)])
    maps = [sample.pred_sem_seg.data for sample in found]
    assert maps[0].shape == (1, 32, 48)
    assert torch.equal(maps[0], maps[1]) and torch.equal(maps[0], maps[2])
