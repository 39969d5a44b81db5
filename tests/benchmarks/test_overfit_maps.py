"""`python -m benchmarks.overfit_maps`: the images, what is trained on them, and a short run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.overfit_maps import copy_images, main, overfit_config, parser
from effnet_dense.settings import Settings
from tests.helpers.label_folder import label, write_classes, write_pair

NAME = 'effnet_lite0_bifpn_camvid'
SETTINGS = Settings(
    iterations=4, image_size=(64, 96), batch_size=2, backbone='lite0', weights='none'
)


def write_images(root: Path) -> Path:
    """Four images to train on."""
    write_classes(root, {'classes': ['sky', 'road'], 'ignore': 9})
    for number in range(4):
        write_pair(root, 'train', f'{number}.jpg', label(0, 1, 1, 9))
    return root


def test_images_are_both_splits(tmp_path: Path) -> None:
    out = tmp_path / 'out'
    out.mkdir()
    copy_images(write_images(tmp_path / 'data'), out, 2)
    for split in ('train', 'val'):
        assert [path.name for path in sorted((out / 'images' / split).iterdir())] == [
            '0.jpg',
            '2.jpg',
        ]
        assert len(list((out / 'labels' / split).iterdir())) == 2
    with pytest.raises(ValueError, match='expected 5 images in images/train, found 4'):
        copy_images(tmp_path / 'data', out, 5)


def test_trains_without_augmentation(tmp_path: Path) -> None:
    data = tmp_path / 'out'
    data.mkdir()
    copy_images(write_images(tmp_path / 'data'), data, 4)
    options = {'optim_wrapper.optimizer.weight_decay': 0.1}
    config = overfit_config(NAME, data, SETTINGS, 0.01, str(tmp_path / 'run'), options)
    kinds = [step.type for step in config.train_dataloader.dataset.pipeline]
    assert kinds[2:] == ['Resize', 'PackSegInputs']
    kinds = [step.type for step in config.val_dataloader.dataset.pipeline]
    assert kinds[1] == 'Resize', 'label maps keep the size of their files'
    assert config.optim_wrapper.optimizer == dict(type='AdamW', lr=0.01, weight_decay=0.1)
    assert config.model.decode_head.num_classes == 2


def test_detectors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='effnet_b0_fcos_coco: expected a segmentor'):
        overfit_config('effnet_b0_fcos_coco', tmp_path, SETTINGS, 0.01, str(tmp_path), {})


@pytest.mark.slow
def test_a_short_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet_loggers: None
) -> None:
    words = [NAME, '--data', write_images(tmp_path), '--images', 4, '--steps', 4]
    words += ['--image-size', 64, 96, '--batch-size', 2, '--weights', 'none']
    main(parser().parse_args([str(word) for word in words]))
    shown = capsys.readouterr().out
    assert 'lite0, 4 images of 64 × 96 px' in shown
    assert NAME in shown
