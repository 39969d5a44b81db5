"""`python -m benchmarks.overfit`: the images, what is trained on them, and a short run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.overfit import cells, first_images, main, overfit_config, parser
from effnet_dense.settings import Settings
from tests.helpers.tiny import write_data

SETTINGS = Settings(epochs=20, image_size=(64, 64), batch_size=2, backbone='lite0', weights='none')


def config_of(name: str, folder: Path, **options: Any) -> Any:
    """The config that overfits four images of 64 px."""
    data = write_data(folder)
    truth = data / 'annotations' / 'train.json'
    images = data / 'images' / 'train'
    return overfit_config(name, truth, images, SETTINGS, 0.01, str(folder / 'run'), options)


def test_the_first_images_with_objects() -> None:
    objects = [dict(id=1, image_id=7), dict(id=2, image_id=3), dict(id=3, image_id=5, iscrowd=1)]
    given = dict(images=[dict(id=i) for i in (9, 7, 5, 3)], annotations=objects, categories=[1])
    assert first_images(given, 1) == dict(
        images=[dict(id=3)], annotations=[objects[1]], categories=[1]
    )
    assert [image['id'] for image in first_images(given, 2)['images']] == [3, 7]
    with pytest.raises(ValueError, match='expected 3 images with objects, found 2'):
        first_images(given, 3)


@pytest.mark.parametrize('name', ['effnet_b0_fcos_coco', 'effnet_b0_rtmdet_ins_coco'])
def test_trains_and_evaluates_on_the_same_images(name: str, tmp_path: Path) -> None:
    config = config_of(name, tmp_path, **{'optim_wrapper.optimizer.weight_decay': 0.1})
    truth = str(tmp_path / 'annotations' / 'train.json')
    for loop in ('train', 'val', 'test'):
        assert config[f'{loop}_dataloader'].dataset.ann_file == truth
    assert config.val_evaluator.ann_file == config.test_evaluator.ann_file == truth
    types = [step.type for step in config.train_dataloader.dataset.pipeline]
    # Objects are loaded before the image is resized: their boxes are resized with it.
    assert types[1:3] == ['LoadAnnotations', 'Resize'] and types.count('LoadAnnotations') == 1
    assert not any('Random' in step or 'Mo' in step for step in types)
    masks = config.train_dataloader.dataset.pipeline[1].get('with_mask', False)
    assert masks == ('ins' in name)
    # Four images in batches of two, for 20 epochs.
    assert [
        scheduler.get('end', scheduler.get('T_max')) for scheduler in config.param_scheduler
    ] == [
        20,
        20,
    ]
    assert config.optim_wrapper.optimizer == dict(type='AdamW', lr=0.01, weight_decay=0.1)
    assert config.model.backbone.arch == 'lite0' and config.model.backbone.init_cfg is None


def test_other_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a CocoDataset .* got 'CocoPanopticDataset'"):
        config_of('effnet_b3_panoptic_fpn_coco', tmp_path)


@pytest.mark.parametrize(('steps', 'batch'), [(3, 2), (4, 3), (1, 2)])
def test_steps_are_epochs(steps: int, batch: int, tmp_path: Path) -> None:
    words = ['effnet_b0_fcos_coco', '--data', str(tmp_path), '--images', '4']
    words += ['--steps', str(steps), '--batch-size', str(batch)]
    with pytest.raises(ValueError, match=f'expected --steps {steps} to be epochs of 4 images'):
        main(parser().parse_args(words))


def test_cells() -> None:
    found = dict(bbox_mAP=0.5, bbox_mAP_50=0.75)
    assert cells(found) == ['0.500', '0.750', '–', '–']


@pytest.mark.slow
def test_a_short_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet_loggers: None
) -> None:
    data = write_data(tmp_path)
    words = ['effnet_lite0_retinanet_finetune', '--data', data, '--images', 4, '--steps', 2]
    words += ['--annotations', 'annotations/train.json', '--images-folder', 'images/train']
    words += ['--image-size', 64, '--batch-size', 2, '--weights', 'none']
    words += ['--cfg-options', 'model.neck.out_channels=8', 'model.bbox_head.in_channels=8']
    words += ['model.bbox_head.feat_channels=8']
    main(parser().parse_args([str(word) for word in words]))
    output = capsys.readouterr().out
    assert 'lite0, 4 images of 64 px' in output
    row = next(line for line in output.splitlines() if 'effnet_lite0_retinanet_finetune' in line)
    assert row.split('│')[2].strip() == '2'
