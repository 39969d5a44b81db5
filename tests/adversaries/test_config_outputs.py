"""What a config names as an output replaces neither inputs nor files of others."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.engine.config import apply_options, load_config
from effnet_dense.engine.config_outputs import FILES, FOLDERS, Kind, Output, config_outputs
from effnet_dense.engine.jobs import train
from effnet_dense.engine.output_claims import ImageOutputsHook, check_config_outputs
from effnet_dense.utils.outputs import is_ours, release
from tests.helpers.foreign import FOREIGN, content, foreign
from tests.helpers.label_folder import CLASSES as STRIPES
from tests.helpers.label_folder import write_folder
from tests.helpers.tiny import CLASSES as SQUARES
from tests.helpers.tiny_models import DETECTOR, SEGMENTOR, SMALL, detector, saved, segmentor
from tests.helpers.tool import call


@pytest.fixture(autouse=True)
def _quiet(quiet_loggers: None) -> None:
    """Every tool makes loggers."""


@pytest.fixture(scope='module')
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny detector with random weights."""
    return saved(detector(), tmp_path_factory.mktemp('weights') / 'epoch_1.pth', SQUARES)


@pytest.fixture
def data(tiny_data: Path, tmp_path: Path) -> Path:
    """A copy of the tiny data."""
    return shutil.copytree(tiny_data, tmp_path / 'data')


# Option → the file that it would replace, below the value's folder.
OPTIONS = {
    'test_evaluator.outfile_prefix={}/x': 'x.bbox.json',
    'test_evaluator.collect_dir={}': 'part_0.pkl',
    'visualizer.save_dir={}': 'vis_data/scalars.json',
    'visualizer.vis_backends.0.save_dir={}': 'config.py',
    'visualizer.vis_backends.0.config_save_file={}/x.py': 'x.py',
    'default_hooks.logger.out_dir={}': 'work/vis_data/config.py',
}
METRICS = {
    'DumpDetResults': ('out_file_path', 'x.pkl', 'x.pkl'),
    'mmengine.DumpResults': ('out_file_path', 'x.pkl', 'x.pkl'),
    'DumpProposals': ('output_dir', '', 'proposals.pkl'),
    'CrowdHumanMetric': ('outfile_prefix', 'x', 'x.json'),
    'LVISMetric': ('outfile_prefix', 'x', 'x.segm.json'),
    'CocoPanopticMetric': ('outfile_prefix', 'x', 'x.panoptic.json'),
    'CityScapesMetric': ('outfile_prefix', '', 'results/a_pred.txt'),
    'MOTChallengeMetric': ('outfile_prefix', '', 'seq/a.txt'),
    'mmseg.CityscapesMetric': ('output_dir', '', 'a.png'),
}
HOOKS = {
    'ProfilerHook': ('json_trace_path', 'x.json', 'x.json'),
    'LoggerHook': ('out_dir', '', 'work/vis_data/scalars.json'),
}


def config_of(data: Path, work_dir: Path, **options: Any) -> Any:
    config = load_config(DETECTOR, data, work_dir=work_dir)
    apply_options(config, options)
    return config


@pytest.mark.parametrize('option', OPTIONS)
def test_an_option_over_a_file(option: str, data: Path, tmp_path: Path) -> None:
    key, _, value = option.format(tmp_path / 'mine').partition('=')
    mine = foreign(tmp_path / 'mine' / OPTIONS[option])
    with pytest.raises(FileExistsError, match=f'{key.rpartition(".")[0]}.*{mine.name}|not empty'):
        check_config_outputs(config_of(data, tmp_path / 'work', **{key: value}), ['test'])


@pytest.mark.parametrize('name', METRICS)
def test_a_metric_over_a_file(name: str, data: Path, tmp_path: Path) -> None:
    argument, value, file = METRICS[name]
    config = config_of(data, tmp_path / 'work')
    metric = {'type': name, argument: str(tmp_path / 'mine' / value)}
    config.test_evaluator = [config.test_evaluator, metric]
    check_config_outputs(config, ['test'])
    foreign(tmp_path / 'mine' / file)
    check_config_outputs(config, ['train', 'val'])
    with pytest.raises(FileExistsError, match=rf'test_evaluator\.1\.{argument}: '):
        check_config_outputs(config, ['test'])
    metric[argument] = str(data / 'images' / 'val' / value)
    config.test_evaluator = [config.test_evaluator[0], metric]
    with pytest.raises(
        (FileExistsError, ValueError), match=r'not empty|whose files this run reads'
    ):
        check_config_outputs(config, ['test'])
    metric[argument] = ''
    config.test_evaluator = [config.test_evaluator[0], metric]
    if name != 'DumpProposals':  # mmdet's default
        with pytest.raises(ValueError, match='into the current folder'):
            check_config_outputs(config, ['test'])


@pytest.mark.parametrize('name', HOOKS)
def test_a_hook_over_a_file(name: str, data: Path, tmp_path: Path) -> None:
    argument, value, file = HOOKS[name]
    hook = {'type': name, argument: str(tmp_path / 'mine' / value)}
    config = config_of(data, tmp_path / 'work', custom_hooks=[hook])
    check_config_outputs(config, ['train'])
    foreign(tmp_path / 'mine' / file)
    with pytest.raises(FileExistsError, match=rf'custom_hooks\.0\.{argument}: .*{Path(file).name}'):
        check_config_outputs(config, ['train'])


FOLDER_OPTIONS = [
    'default_hooks.checkpoint.out_dir',
    'default_hooks.logger.out_dir',
    'visualizer.save_dir',
    'visualizer.vis_backends.0.save_dir',
    'visualizer.vis_backends.0.img_save_dir',
    'val_evaluator.outfile_prefix',
]


@pytest.mark.parametrize('key', FOLDER_OPTIONS)
def test_a_folder_among_the_images(
    key: str, data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = content(data)
    folder = data / 'images' / 'val' / 'x'
    words = [DETECTOR, '--data', data, '--work-dir', tmp_path / 'work', *SMALL, f'{key}={folder}']
    assert call('train', *words) == 2
    assert 'whose files this run reads' in capsys.readouterr().err.splitlines()[-1]
    assert content(data) == before and not list(tmp_path.glob('work/**/*.log'))


@pytest.mark.parametrize('key', FOLDER_OPTIONS)
@pytest.mark.parametrize('value', ['', '/proc/x/y', '{}/file/y'])
def test_a_folder_that_cannot_be_written(key: str, value: str, data: Path, tmp_path: Path) -> None:
    foreign(tmp_path / 'file')
    config = config_of(data, tmp_path / 'work')
    apply_options(config, {key: value.format(tmp_path)})
    expected = 'current folder' if not value else 'cannot write results into'
    if key.endswith('img_save_dir') and not value:
        return  # mmengine's own folder
    with pytest.raises((OSError, ValueError), match=expected):
        check_config_outputs(config, ['train', 'val'])


def test_names_that_lead_elsewhere(data: Path, tmp_path: Path) -> None:
    config = config_of(data, tmp_path / 'work')
    config.default_hooks.checkpoint.filename_tmpl = '../../x_{}.pth'
    with pytest.raises(ValueError, match='filename_tmpl'):
        check_config_outputs(config, ['train'])
    hook = dict(type='DetVisualizationHook', test_out_dir='../../data/images/val')
    config = config_of(data, tmp_path / 'work', custom_hooks=[hook])
    with pytest.raises(ValueError, match=r'custom_hooks\.0\.test_out_dir: .*this run reads'):
        check_config_outputs(config, ['test'])


def test_any_file_that_the_config_names_is_an_input(data: Path, tmp_path: Path) -> None:
    """Even one that the package wrote, such as the last training's checkpoint."""
    config = config_of(data, tmp_path / 'work')
    start = tmp_path / 'x.bbox.json'
    start.write_bytes(b'')
    config.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(start))
    config.test_evaluator.outfile_prefix = str(tmp_path / 'x')
    with pytest.raises(ValueError, match='replace what this run reads'):
        check_config_outputs(config, ['test'])


@pytest.mark.slow
@given(
    st.sampled_from([*FILES, *FOLDERS]),
    st.sampled_from(['custom_hooks', 'test_evaluator']),
    st.text('ab./ ', min_size=1, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_unknown_classes_name_outputs_alike(name: str, place: str, value: str) -> None:
    config = load_config(DETECTOR)
    config[place] = [{'type': 'Unknown', name: value}]
    if not value.strip():
        with pytest.raises(ValueError, match='current folder'):
            config_outputs(config, ['test'])
        return
    found = [output for output in config_outputs(config, ['test']) if place in output.key]
    assert [output.key for output in found] == [f'{place}.0.{name}']


@pytest.mark.slow
def test_a_test_writes_what_its_metrics_name(
    weights: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Again and again, until somebody edits a file; a hard link to it keeps its content."""
    found, work = tmp_path / 'found' / 'x.bbox.json', tmp_path / 'work'
    option = f'test_evaluator.outfile_prefix={found.parent / "x"}'
    for _ in range(2):
        assert (
            call('test', DETECTOR, weights, '--data', data, '--work-dir', work, *SMALL, option) == 0
        )
        assert is_ours(found)
    backup = tmp_path / 'backup'
    backup.hardlink_to(found)
    found.write_bytes(FOREIGN)
    assert not is_ours(found)
    before = content(tmp_path)
    assert call('test', DETECTOR, weights, '--data', data, '--work-dir', work, *SMALL, option) == 2
    assert str(found) in capsys.readouterr().err.splitlines()[-1]
    assert content(tmp_path) == before


class Images:
    """What a dataset says about its images."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def get_data_info(self, index: int) -> dict[str, str]:
        return {'img_path': self.paths[index]}


@pytest.mark.parametrize('kind', ['maps', 'drawings'])
@pytest.mark.parametrize('loop', ['val', 'test'])
def test_files_named_after_images(kind: Kind, loop: str, tmp_path: Path) -> None:
    """Before a training's first step those of its validations, too."""
    dataset, hook = Images('a/1.jpg', 'b/2.jpg'), ImageOutputsHook()
    hook.outputs = [Output(f'{loop}_evaluator.output_dir', tmp_path, kind)]
    name = '2.png' if kind == 'maps' else '2.jpg'
    called = 'test' if kind == 'drawings' else loop
    hook._claim(called, dataset)
    assert len(hook.claimed) == 2 and is_ours(tmp_path / name)
    release(tmp_path / name)
    foreign(tmp_path / name)
    with pytest.raises(FileExistsError, match=rf'output_dir: .*{name}'):
        hook._claim(called, dataset)
    with pytest.raises(ValueError, match=r'output_dir: .* more than once: 1\.'):
        hook._claim(called, Images('a/1.jpg', 'b/1.jpg'))
    hook._claim('train', dataset)


@pytest.mark.slow
def test_label_maps_of_a_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """mmseg's metric names them after the images' bare names."""
    data = write_folder(tmp_path / 'data')
    mine = foreign(tmp_path / 'maps' / 'c.png')
    weights = saved(segmentor(), tmp_path / 'iter_1.pth', STRIPES)
    words = ['--data', data, '--work-dir', tmp_path / 'work', '--cfg-options']
    words.append(f'test_evaluator.0.output_dir={mine.parent}')
    assert call('test', SEGMENTOR, weights, *words) == 2
    assert 'test_evaluator.0.output_dir: ' in capsys.readouterr().err.splitlines()[-1]
    assert mine.read_bytes() == FOREIGN


def test_a_python_run_is_checked_too(data: Path, tmp_path: Path) -> None:
    config = config_of(data, tmp_path / 'work')
    config.default_hooks.checkpoint.out_dir = str(data / 'images' / 'train')
    with pytest.raises(ValueError, match='whose files this run reads'):
        train(config)
