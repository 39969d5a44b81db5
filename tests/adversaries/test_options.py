"""Options and configs that would end or spoil a run later: an error or a warning before a step."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from effnet_dense.commands.program import message
from effnet_dense.engine.checks.option_types import check_kind
from effnet_dense.engine.hooks.first_step import FirstStepHook
from tests.helpers.tiny import (
    as_arguments,
    in_place_of_coco,
    narrow_retinanet,
    options,
    write_data,
)
from tests.helpers.tool import call

FINETUNE = 'effnet_lite0_retinanet_finetune'


def train(data: Path, work_dir: Path, *words: object, **changes: Any) -> int:
    """Train for one epoch of two steps, with other options."""
    small = as_arguments({**options(), **narrow_retinanet(), **changes})
    return call('train', FINETUNE, '--data', data, '--work-dir', work_dir, *small, *words)


@pytest.fixture
def refused(tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the one line with which a training ends, before anything is trained or written."""

    def line(*words: object, **changes: Any) -> str:
        assert train(tiny_data, tmp_path, *words, **changes) == 2
        shown = capsys.readouterr().err
        assert 'Traceback' not in shown
        assert not list(tmp_path.rglob('*.pth'))
        return shown.partition('error: ')[2].strip()

    return line


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        (
            'default_hooks.checkpoint.intervall',
            3,
            'intervall=3',
        ),
        ('default_hooks.checkpoint.interval', 'x', 'default_hooks.checkpoint.interval'),
        ('default_hooks.checkpoint.max_keep_ckpts', 'all', 'max_keep_ckpts'),
        ('default_hooks.logger.intervall', 3, 'did you mean interval'),
        ('default_hooks.logger.interval', 0, 'default_hooks.logger.interval must be a whole'),
        ('train_cfg.val_interval', 0, 'train_cfg.val_interval'),
        ('train_cfg.val_interval', 'x', 'train_cfg.val_interval'),
        ('train_cfg.max_epochs', 0, 'train_cfg.max_epochs'),
        ('train_cfg.max_epochs', -1, 'train_cfg.max_epochs'),
        ('train_cfg.max_epochs', 1.5, 'train_cfg.max_epochs'),
        ('train_cfg.max_epoch', 3, 'did you mean max_epochs'),
        ('train_cfg.dynamic_intervals', '[(1,0)]', 'dynamic_intervals'),
        ('optim_wrapper.optimizer.learning_rate', 1, 'optimizer.learning_rate'),
        ('optim_wrapper.clip_grad.maxnorm', 1, 'did you mean max_norm'),
        ('optim_wrapper.optimizer.lr', -1, 'learning rate'),
        ('param_scheduler.0.start_faktor', 1, 'did you mean start_factor'),
        ('param_scheduler.0.start_factor', 0, 'param_scheduler'),
        ('val_evaluator.metriс', 'bbox', 'val_evaluator'),
        ('val_evaluator.metric', 'bbx', 'bbx'),
        ('val_dataloader.batchsize', 1, 'did you mean batch_size'),
        ('train_dataloader.num_workers', -1, 'num_workers'),
        ('train_dataloader.batch_size', 0, 'batch_size'),
        ('val_dataloader.sampler.shufle', 1, 'did you mean shuffle'),
        ('val_dataloader.dataset.ann_fle', 1, 'did you mean ann_file'),
        ('val_dataloader.dataset.pipeline.1.scal', 1, 'did you mean scale'),
        ('train_dataloader.dataset.pipeline.4.probb', 1, 'did you mean prob'),
        ('test_dataloader.dataset.pipeline.1.scal', 1, 'did you mean scale'),
        ('visualizer.nam', 1, 'did you mean name'),
        ('log_processor.window', 1, 'did you mean window_size'),
        ('randomness.sed', 1, 'did you mean seed'),
        ('randomness.seed', 'x', 'randomness.seed'),
        # results and numbers that end a run later, or find nothing
        ('default_hooks.checkpoint.save_best', 'coco/bbox_mAPP', 'did you mean coco/bbox_mAP?'),
        ('default_hooks.checkpoint.save_best', 'bbox_mAP', 'val_evaluator computes coco/bbox_mAP'),
        ('val_evaluator.metric_items', "['mAPP']", 'CocoMetric.metric_items must be of mAP'),
        ('val_evaluator.metric_items', 'mAP', 'metric_items must be a list of mAP'),
        ('model.test_cfg.score_thr', 2, 'model.test_cfg.score_thr must be a number from 0 to 1'),
        ('model.test_cfg.score_thr', -0.1, 'from 0 to 1, got -0.1'),
        ('model.test_cfg.nms.iou_threshold', 50, 'nms.iou_threshold must be a number from 0 to 1'),
        ('model.test_cfg.max_per_img', -1, 'max_per_img=-1 would drop the last box'),
        ('model.test_cfg.max_per_img', 0, 'max_per_img must be a whole number, at least 1'),
        ('model.test_cfg.nms_pre', -1, 'nms_pre=-1 would drop the last box'),
        ('model.test_cfg.nms_pre', 1.5, 'nms_pre must be a whole number'),
        ('model.train_cfg.assigner.pos_iou_thr', 50, 'pos_iou_thr must be a number from 0 to 1'),
        ('model.bbox_head.loss_cls.gamma', -2, 'loss_cls.gamma must be a number, at least 0'),
        ('default_hooks.visualization.score_thr', 30, 'visualization.score_thr must be a number'),
        ('param_scheduler.1.T_max', 0, 'param_scheduler.1.T_max must be a whole number'),
        ('param_scheduler.1.eta_min', -1, 'eta_min must be a number, at least 0'),
        ('train_dataloader.drop_last', 'True', '4 images and drop_last=True, which leaves no'),
        ('model.test_cfg.nms.type', 'nope', 'model.test_cfg.nms.type must be one of nms, soft_nms'),
        ('model.test_cfg.nms', [[0.5, 1], [2]], 'model.test_cfg.nms must be a dictionary with'),
        ('param_scheduler', [[1, 2]], 'param_scheduler.0 must be a dictionary with a type'),
        ('train_dataloader.timeout', -1, 'train_dataloader.timeout must be a number of seconds'),
        ('train_dataloader.pin_memory', 'x', 'train_dataloader.pin_memory must be True or False'),
        ('env_cfg.dist_cfg', [1, 'a'], 'env_cfg.dist_cfg must be a dictionary'),
        ('optim_wrapper.accumulative_counts', 2.5, 'optim_wrapper.accumulative_counts must be'),
        ('model.test_cfg.nms.iou_thresh', 0.5, 'nms.iou_thresh=0.5: there is no such argument'),
        ('model.test_cfg.nms.iou_threshold', 5, 'nms.iou_threshold must be a number from 0 to 1'),
        ('val_evaluator.metric', '[]', 'CocoMetric.metric is empty'),
        ('val_evaluator', '[]', 'val_evaluator names no metric'),
        ('train_dataloader.persistent_workers', True, 'train_dataloader.persistent_workers=True'),
        ('val_dataloader.prefetch_factor', 4, 'val_dataloader.prefetch_factor=4 needs workers'),
        ('env_cfg.mp_cfg.mp_start_method', 'x', 'mp_start_method must be one of fork, spawn'),
        ('train_dataloader.dataset.indices', '[0,7]', 'train_dataloader.dataset cannot be built'),
        # values of the wrong kind
        (
            'model.bbox_head.anchor_generator.ratios',
            '[[0.5,1],[2]]',
            'model.bbox_head.anchor_generator: expected sequence',
        ),
        ('model.backbone._delete_', True, 'model.backbone: a part has no type'),
        ('model.data_preprocessor.std', (-1, 1, 1), 'std must be finite numbers above 0'),
        ('model.data_preprocessor.mean', (1e999, 1, 1), 'mean must be finite numbers'),
        ('train_dataloader.dataset.pipeline.2.scale', (-64, 64), 'above 0, got (-64, 64)'),
        ('train_dataloader.dataset.pipeline.2.scale', 'x', 'expects numbers, as in the config'),
        ('train_dataloader.dataset.pipeline.2.ratio_range', (2, 1), 'two ascending factors'),
        ('train_dataloader.dataset.pipeline.2.ratio_range', (-1, 2), 'two ascending factors'),
        ('test_dataloader.dataset.pipeline.1.scale', (0, 64), 'above 0, got (0, 64)'),
        ('train_dataloader.dataset', 3, 'expects entries'),
        ('train_dataloader.dataset.ann_file', 3, 'must be a text'),
        ('model.data_preprocessor.std', (0, 0, 0), 'above 0'),
        ('model.data_preprocessor.pad_size_divisor', 0, 'above 0, got 0'),
        ('model.test_cfg.score_thr', 'x', "expects a number, as in the config (0.05), got 'x'"),
        ('model.neck.out_channels', -8, 'negative dimension'),
        ('model', 3, 'expects entries'),
        ('model.type', '', 'model'),
        ('model.bbox_head.num_classes', 3, '3, but train_dataloader has 2 classes'),
        ('optim_wrapper.optimizer.lr', 'abc', 'expects a number, as in the config'),
        ('randomness.seed', -1, 'at least 0, at most 4294967295, got -1'),
        ('randomness.seed', 2**40, 'at most 4294967295'),
        ('randomness', 3, 'randomness expects entries'),
        ('default_scope', 3, 'default_scope must be a text, got 3'),
        ('env_cfg', 3, 'env_cfg expects entries'),
        ('visualizer', 3, 'visualizer expects entries'),
        ('load_from_ignore', 'bbox_head.', 'load_from_ignore must be a list'),
        ('channels_last', 'x', 'must be True or False'),
        ('resume', 'x', 'resume expects True or False'),
        ('custom_hooks', 3, 'custom_hooks must be a list'),
        ('log_level', 'LOUD', 'must be one of CRITICAL'),
        ('launcher', 'x', 'write --launcher'),
        ('custom_imports.imports', 'x', 'read only in config files'),
        ('cfg', 3, "nothing reads 'cfg'"),
        ('compile.mode', 'x', 'compile'),
    ],
)
def test_what_would_end_a_run_later(key: str, value: Any, words: str, refused: Any) -> None:
    more = {'train_dataloader.batch_size': 8} if key.endswith('drop_last') else {}
    line = refused(**{key: value, **more})
    assert words in line and key.split('.')[0] in line and '\n' not in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (
            {'train_cfg.max_epochs': 2, 'param_scheduler.1.T_max': 15},
            ['until epoch 17', 'ends at epoch 2'],
        ),
        (
            {
                'train_cfg.max_epochs': 4,
                'param_scheduler.1.end': 3,
                'param_scheduler.1.T_max': 1,
            },
            ['ends at epoch 3', 'training at epoch 4', 'last 1 epoch'],
        ),
        ({'param_scheduler.0.end': 500}, ['iteration 1000', 'iteration 2', 'warm-up']),
    ],
)
def test_a_schedule_with_another_end_is_a_warning(
    changes: dict[str, Any],
    words: list[str],
    tiny_data: Path,
    tmp_path: Path,
) -> None:
    assert train(tiny_data, tmp_path, **changes) == 0
    log = next(tmp_path.glob('*/*.log')).read_text(encoding='utf-8')
    lines = [line for line in log.splitlines() if 'WARNING' in line and 'param_scheduler:' in line]
    assert any(all(word in line for word in words) for line in lines), lines


@pytest.mark.slow
@pytest.mark.parametrize(
    'changes',
    [
        {'env_cfg': None, 'randomness': None},
        {'env_cfg.mp_cfg': None, 'env_cfg.dist_cfg': None},
    ],
)
def test_none_is_the_default(changes: dict[str, Any], tiny_data: Path, tmp_path: Path) -> None:
    assert train(tiny_data, tmp_path, **changes) == 0


def test_one_image_and_batch_norm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(write_data(tmp_path / 'data', train=1), tmp_path / 'run') == 2
    line = capsys.readouterr().err.partition('error: ')[2]
    assert 'train_dataloader has 1 image and batch_size=2' in line and line.count('\n') == 1


def test_annotations_that_are_no_json(
    tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = tmp_path / 'evil.pkl'
    evil.write_bytes(pickle.dumps({'images': []}))
    changes = {**in_place_of_coco(tiny_data), 'train_dataloader.dataset.ann_file': evil}
    small = as_arguments({**options(), **narrow_retinanet(), **changes})
    assert call('train', FINETUNE, '--work-dir', tmp_path / 'run', *small) == 2
    line = capsys.readouterr().err.partition('error: ')[2]
    assert f'train_dataloader: ann_file {evil} is not JSON' in line and line.count('\n') == 1


def test_classes_of_the_training_alone(refused: Any) -> None:
    line = refused(**{'train_dataloader.dataset.metainfo.classes': ('bar', 'square')})
    assert '(bar, square)' in line and '(square, bar)' in line and 'metainfo.classes' in line


@pytest.mark.parametrize(
    'changes',
    [{'model.backbone.norm_eval': True}, {'model.backbone.frozen_stages': 2}],
)
def test_random_weights_with_fixed_statistics(changes: dict[str, Any], refused: Any) -> None:
    line = refused(**changes)
    assert 'model.backbone.norm_eval=False' in line and 'frozen_stages=-1' in line


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        (
            'image_size',
            (64, 64),
            ['parsed', 'train_dataloader.dataset.pipeline.2.scale'],
        ),
        ('data_root', 'elsewhere/', ['parsed', 'train_dataloader.dataset.data_root']),
        ('backend_args', 1, ['parsed']),
        ('train_pipeline.2.scale', (64, 64), ['parsed', 'train_dataloader.dataset.pipeline']),
        ('work_dirr', 'x', ['did you mean work_dir']),
        ('max_epochs', 3, ['nothing reads']),
        ('env_cfg.cudnn_benchmarks', True, ['did you mean cudnn_benchmark']),
        ('env_cfg.mp_cfg.opencv_threads', 1, ['did you mean opencv_num_threads']),
        ('auto_scale_lr.batch_size', 8, ['did you mean base_batch_size']),
        ('optim_wrapper.clip_grad.max_norm', 0, ['clip_grad=None']),
        ('optim_wrapper.clip_grad.max_norm', 'x', ['clip_grad=None']),
        ('optim_wrapper.paramwise_cfg.norm_decay', 0, ['did you mean norm_decay_mult']),
    ],
)
def test_an_option_that_changes_nothing(
    key: str, value: Any, words: list[str], refused: Any
) -> None:
    line = refused(**{key: value})
    assert all(word in line for word in [key.split('.')[0], *words]) and '\n' not in line


@pytest.mark.slow
@pytest.mark.parametrize(
    'changes',
    [
        {'model.bbox_head.anchor_generator.strides': (-8, 16)},
        {'model.train_cfg.assigner.pos_iou_thr': '(1,)'},
    ],
)
def test_values_that_fail_in_the_first_step(changes: dict[str, Any], refused: Any) -> None:
    line = refused(**changes)
    assert line and '\n' not in line


def test_a_number_may_become_none_and_names_that_libraries_know() -> None:
    config = dict(a=dict(loss_scale=512.0, lr=0.1, scale=(1, 2), arch='b0', clip_grad=dict(x=1)))
    for key, value in [
        ('a.loss_scale', 'dynamic'),
        ('a.lr', None),
        ('a.lr', 1),
        ('a.scale', 3),
        ('a.scale', [(1, 2), (3, 4)]),
        ('a.arch', {'x': 1}),
        ('a.clip_grad', None),
        ('a.unknown', 'x'),
    ]:
        check_kind(config, key, value)


def test_a_bare_key_is_no_message() -> None:
    try:
        {}['momentum']
    except KeyError as error:
        assert re.fullmatch(
            r"there is no entry 'momentum' \(test_options\.py, line \d+\)", message(error)
        )
    assert message(ValueError('model')) == 'ValueError: model'
    assert message(KeyError('two words')) == 'two words'
    worker = "Caught KeyError.\nOriginal Traceback (most recent call last):\nKeyError: 'img'"
    assert message(KeyError(worker)) == "KeyError: 'img'"


def phases(*steps: str) -> FirstStepHook:
    """The hook after these calls."""
    hook = FirstStepHook()
    for step in steps:
        getattr(hook, step)(None)
    return hook


@pytest.mark.parametrize('error', [TypeError, AssertionError, IndexError, RuntimeError])
def test_errors_of_the_first_step_are_one_line(error: type[Exception]) -> None:
    hook = phases('before_train')
    with pytest.raises(ValueError, match=r'the first step of the training failed'), hook.errors():
        raise error
    hook = phases('before_train', 'after_train_iter')
    with pytest.raises(error), hook.errors():  # a bug keeps its traceback
        raise error
    hook = phases('before_train', 'after_train_iter', 'before_val')
    with pytest.raises(ValueError, match=r'of the validation failed'), hook.errors():
        raise error('two\nlines')


@pytest.mark.parametrize('words', ['CUDA error: x', 'NCCL error', 'DataLoader worker (pid 1) died'])
def test_errors_of_the_machine_keep_their_traceback(words: str) -> None:
    with pytest.raises(RuntimeError, match=r'CUDA|NCCL|worker'), phases().errors():
        raise RuntimeError(words)
