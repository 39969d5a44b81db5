"""The waits of a step of the main configs: our own code has one, the others' are known by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.analysis.waits import Step, list_waits, record_step
from effnet_dense.engine.config import load_config
from effnet_dense.settings import Settings
from tests.helpers.tiny import SIZE, narrow_retinanet, options, write_data
from tests.helpers.trained import SMALL_MASK_RCNN, SMALL_SEGMENTOR, write_label_maps

FINITE = 'effnet_dense/engine/hooks/finite.py'


@pytest.fixture(scope='module')
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three batches of two images."""
    return write_data(tmp_path_factory.mktemp('data'), train=6)


def waits(name: str, data: Path, work_dir: Path, values: dict[str, Any]) -> Counter[str]:
    """File → waits in it."""
    small = Settings(image_size=(SIZE, SIZE)) if 'rtmdet' in name else None
    config = load_config(name, data, values, work_dir, settings=small)
    return Counter(wait.file for wait in list_waits(config))


def kernels(step: Step, operator: str) -> int:
    return sum(count for (_, name), count in step.launches.items() if operator in name)


@pytest.mark.slow
def test_efficientdet_waits_once_in_all(images: Path, tmp_path: Path) -> None:
    values = {**options(), 'model.data_preprocessor.pad_size_divisor': SIZE}
    step = record_step(load_config('efficientdet_d0_coco', images, values, tmp_path))
    (wait,) = step.waits
    assert (wait.file, wait.reason) == (FINITE, 'a copy to the host')
    assert str(wait) == f'{FINITE}:{wait.line} _step: a copy to the host'
    # EMA: weights and statistics, 448 a kernel. SGD: weights with decay and without.
    assert kernels(step, '_foreach_lerp_') == kernels(step, '_fused_sgd_') == 2


def test_retinanet(images: Path, tmp_path: Path) -> None:
    values = {**options(), **narrow_retinanet()}
    found = waits('effnet_lite0_retinanet_finetune', images, tmp_path, values)
    assert found == {FINITE: 1}


@pytest.mark.slow
def test_mask_rcnn(images: Path, tmp_path: Path) -> None:
    values = {k: v for k, v in options().items() if k != 'model.test_cfg.score_thr'}
    values |= SMALL_MASK_RCNN
    found = waits('effnet_lite0_mask_rcnn_finetune', images, tmp_path, values)
    assert found.pop(FINITE) == 1
    assert found.pop('effnet_dense/compat/mmcv_ops/nms.py') == 2, "torchvision's, for mmcv's"
    assert set(found) == {
        'mmcv/ops/nms.py',
        'mmdet/models/dense_heads/anchor_head.py',
        'mmdet/models/dense_heads/rpn_head.py',
        'mmdet/models/losses/cross_entropy_loss.py',
        'mmdet/models/losses/smooth_l1_loss.py',
        'mmdet/models/roi_heads/bbox_heads/bbox_head.py',
        'mmdet/models/roi_heads/roi_extractors/single_level_roi_extractor.py',
        'mmdet/models/task_modules/coders/delta_xywh_bbox_coder.py',
        'mmdet/models/task_modules/prior_generators/anchor_generator.py',
        'mmdet/models/task_modules/samplers/base_sampler.py',
        'mmdet/models/task_modules/samplers/random_sampler.py',
        'mmdet/models/utils/misc.py',
        'mmdet/structures/mask/mask_target.py',
        'mmdet/structures/mask/structures.py',
        'mmengine/optim/optimizer/optimizer_wrapper.py',  # the backward pass of a mask
        'mmengine/structures/instance_data.py',
    }


@pytest.mark.slow
def test_rtmdet(images: Path, tmp_path: Path) -> None:
    values = {
        'model.backbone.init_cfg': None,
        'model.backbone.arch': 'lite0',
        'model.neck.num_cells': 1,
        'train_dataloader.batch_size': 2,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
    }
    found = waits('effnet_b0_rtmdet_ins_coco', images, tmp_path, values)
    assert found.pop(FINITE) == 1
    assert not [file for file in found if not file.startswith('mmdet/')]


@pytest.mark.slow
def test_segmentor(tmp_path: Path) -> None:
    values = {
        **SMALL_SEGMENTOR,
        'train_dataloader.batch_size': 1,
        'train_cfg.max_iters': 3,
        'default_hooks.checkpoint.interval': 100,
    }
    data = write_label_maps(tmp_path / 'data')
    found = waits('effnet_lite0_fpn_camvid', data, tmp_path / 'run', values)
    assert found == {FINITE: 1, 'mmseg/models/losses/accuracy.py': 2}


@pytest.mark.slow
def test_too_little_data(tmp_path: Path) -> None:
    data = write_data(tmp_path / 'data', train=2)
    values = {**options(), **narrow_retinanet()}
    with pytest.raises(ValueError, match='expected data for two steps'):
        waits('effnet_lite0_retinanet_finetune', data, tmp_path / 'run', values)


def test_wrong_configs() -> None:
    name: Any = 'effnet_lite0_retinanet_coco'
    with pytest.raises(ValueError, match=r'expected a config as .*load_config .*got .effnet_lite0'):
        list_waits(name)
    with pytest.raises(FileNotFoundError, match='instances_train2017'):
        list_waits(load_config(name))
