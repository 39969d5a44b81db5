"""The wheel as a user gets it: unpacked away from the checkout."""

import email
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

MAIN = 'effnet_dense.commands.main'
TESTED = ('weights', 'onnx', 'openvino', 'litert', 'fast-eval', 'robustness', 'docs', 'tests')
"""Requirement files of the extra with which the tests run."""


@pytest.fixture(scope='module')
def unpacked(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('wheel')
    # From a copy: building leaves folders in the source tree.
    source = folder / 'source'
    subprocess.run(['git', 'clone', '-q', str(repository), str(source)], check=True)
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '-w', str(folder), str(source)],
        check=True,
    )
    (wheel,) = folder.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / 'site')
    return folder / 'site'


@pytest.mark.slow
def test_wheel_has_configs_and_tools_where_mim_looks(unpacked, repository):
    mim = unpacked / 'effnet_dense' / '.mim'
    for path in ('configs/effnet_b3_retinanet_coco.py', 'tools/train.py', 'model-index.yml'):
        assert (mim / path).read_text(encoding='utf-8') == (repository / path).read_text(
            encoding='utf-8'
        )


@pytest.mark.slow
def test_wheel_finds_its_configs_by_name(unpacked, tmp_path):
    code = (
        'import effnet_dense\n'
        'from effnet_dense.engine import load_config\n'
        "config = load_config('effnet_b3_retinanet_coco')\n"
        'print(effnet_dense.__file__, config.filename, config.model.backbone.arch)'
    )
    shown = run_wheel(unpacked, tmp_path, code)
    package, config, arch = shown.split()[-3:]
    assert package.startswith(str(unpacked))
    assert config.startswith(str(unpacked))
    assert arch == 'b3'


@pytest.mark.slow
def test_wheel_has_the_command(unpacked, tmp_path):
    """Its entry point lists the models of the wheel, and its configs are inherited by name."""
    entry = (metadata_folder(unpacked) / 'entry_points.txt').read_text(encoding='utf-8')
    assert entry.split() == ['[console_scripts]', 'effnet-dense', '=', f'{MAIN}:main']
    (tmp_path / 'own.py').write_text(
        "_base_ = 'effnet_dense::effnet_b3_retinanet_coco.py'\n", encoding='utf-8'
    )
    code = (
        f'from {MAIN} import main\n'
        "main(['models', 'camvid', '--json'])\n"
        'from mmengine.config import Config\n'
        "print(Config.fromfile('own.py').model.backbone.arch)"
    )
    shown = run_wheel(unpacked, tmp_path, code)
    listed, _, arch = shown.rstrip().rpartition('\n')
    assert arch == 'b3'
    files = [Path(model['config']) for model in json.loads(listed)]
    assert len(files) == 2
    assert all(path.is_file() and path.is_relative_to(unpacked) for path in files)


@pytest.mark.slow
def test_wheel_has_every_file_of_the_package_and_no_other_package(unpacked, repository):
    tracked = subprocess.run(
        ['git', 'ls-files', 'effnet_dense'],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
        encoding='utf-8',
        errors='replace',
    )
    for path in tracked.stdout.split():
        assert (unpacked / path).read_bytes() == (repository / path).read_bytes()
    assert (unpacked / 'effnet_dense' / 'py.typed').is_file()  # PEP 561
    folders = {path.name for path in unpacked.iterdir()}
    assert folders == {'effnet_dense', metadata_folder(unpacked).name}
    assert not {'tests', 'benchmarks'} & {path.name for path in unpacked.rglob('*')}


def run_wheel(unpacked: Path, folder: Path, code: str) -> str:
    """Run Python code with the wheel's package, from a folder; return what it printed."""
    return subprocess.run(
        [sys.executable, '-c', code],
        cwd=folder,
        env={**os.environ, 'PYTHONPATH': str(unpacked)},
        capture_output=True,
        check=True,
        encoding='utf-8',
        errors='replace',
    ).stdout


def metadata_folder(unpacked: Path) -> Path:
    (folder,) = unpacked.glob('*.dist-info')
    return folder


@pytest.fixture(scope='module')
def metadata(unpacked: Path) -> Message:
    return email.message_from_string(
        (metadata_folder(unpacked) / 'METADATA').read_text(encoding='utf-8')
    )


@pytest.mark.slow
def test_metadata(metadata, repository):
    import effnet_dense

    assert metadata['Version'] == effnet_dense.__version__
    assert metadata['License-Expression'] == 'Apache-2.0'
    assert metadata['Description-Content-Type'] == 'text/markdown'
    assert (
        metadata.get_payload().strip()
        == (repository / 'README.md').read_text(encoding='utf-8').strip()
    )
    urls = dict(line.split(', ') for line in metadata.get_all('Project-URL'))
    assert urls.keys() == {'Homepage', 'Documentation', 'Repository', 'Changelog', 'Issues'}


def test_extras_are_those_of_the_requirement_files(metadata, repository):
    found: dict[str, set[str]] = {}
    for text in metadata.get_all('Requires-Dist'):
        requirement = Requirement(text)
        extra = str(requirement.marker).rpartition(' ')[2].strip('"') if requirement.marker else ''
        found.setdefault(extra, set()).add(requirement.name)
    names = {path.stem: set(requirements(path)) for path in files(repository)}
    assert found == {
        '': names['runtime'],
        'mmcv-lite': names['mmcv-lite'],
        'weights': names['weights'],
        'onnx': names['onnx'],
        'openvino': names['openvino'],
        'litert': names['litert'],
        'executorch': names['executorch'],
        'coreml': names['coreml'],
        'fast-eval': names['fast-eval'],
        'robustness': names['robustness'],
        'heif': names['heif'],
        'bands': names['bands'],
        'tensorboard': names['tensorboard'],
        'docs': names['docs'],
        'tests': set().union(*(names[name] for name in TESTED)),
    }


def files(repository: Path) -> list[Path]:
    return sorted((repository / 'requirements').glob('*.txt'))


def requirements(path: Path) -> dict[str, Requirement]:
    """Name → requirement of each line."""
    lines = (line.strip() for line in path.read_text(encoding='utf-8').splitlines())
    found = [Requirement(line) for line in lines if line and not line.startswith('#')]
    return {requirement.name: requirement for requirement in found}


def test_lowest_versions_are_the_lower_bounds(repository):
    """`requirements/lowest.txt` pins exactly the bounds that users are promised."""
    folder = repository / 'requirements'
    promised = requirements(folder / 'runtime.txt') | requirements(folder / 'mmcv-lite.txt')
    lowest = requirements(folder / 'lowest.txt')
    bounded = {
        name
        for name, requirement in promised.items()
        if any(bound.operator == '>=' for bound in requirement.specifier)
    }
    assert lowest.keys() == bounded
    assert bounded == promised.keys() - {'setuptools'}  # which has an upper bound only
    for name, pin in lowest.items():
        (exact,) = pin.specifier
        (lower,) = (b for b in promised[name].specifier if b.operator == '>=')
        assert exact.operator == '=='
        assert padded(exact.version) == padded(lower.version), name


def padded(version: str) -> tuple[int, ...]:
    """A version's numbers, with zeros to three."""
    return tuple(int(part) for part in (version + '.0.0').split('.')[:3])


PINNED = ('constraints', 'lowest', 'onedl', 'litert-export', 'gpu')  # pin themselves


def test_constraints_pin_every_requirement(repository):
    folder = repository / 'requirements'
    pinned = {name.lower() for name in requirements(folder / 'constraints.txt')}
    for path in files(repository):
        if path.stem not in PINNED:
            assert {name.lower() for name in requirements(path)} <= pinned, path.name


def test_python_versions_are_those_of_the_classifiers(repository):
    project = tomllib.loads((repository / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    assert project['requires-python'] == '>=3.11,<3.14'
    versions = [line.rpartition(' ')[2] for line in project['classifiers'] if ':: 3.' in line]
    assert versions == ['3.11', '3.12', '3.13']


def test_model_index_names_every_shipped_config(repository):
    index = yaml.safe_load((repository / 'model-index.yml').read_text(encoding='utf-8'))
    listed = {model['Config'] for model in index['Models']}
    shipped = {f'configs/{path.name}' for path in (repository / 'configs').glob('*.py')}
    assert listed == shipped
