"""The wheel as a user gets it: unpacked beside nothing of the checkout."""

import os
import subprocess
import sys
import zipfile

import pytest
import yaml


@pytest.fixture(scope='module')
def unpacked(repository, tmp_path_factory):
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


def test_wheel_has_configs_and_tools_where_mim_looks(unpacked, repository):
    mim = unpacked / 'effnet_dense' / '.mim'
    for path in ('configs/effnet_b3_retinanet_coco.py', 'tools/train.py', 'model-index.yml'):
        assert (mim / path).read_text() == (repository / path).read_text()


def test_wheel_finds_its_configs_by_name(unpacked, tmp_path):
    code = (
        'import effnet_dense\n'
        'from effnet_dense.engine import load_config\n'
        "config = load_config('effnet_b3_retinanet_coco')\n"
        'print(effnet_dense.__file__, config.filename, config.model.backbone.arch)'
    )
    result = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(unpacked)},
        capture_output=True,
        text=True,
        check=True,
    )
    package, config, arch = result.stdout.split()[-3:]
    assert package.startswith(str(unpacked))
    assert config.startswith(str(unpacked))
    assert arch == 'b3'


def test_wheel_has_what_is_compiled_later(unpacked, repository):
    path = 'effnet_dense/ops/fused_depthwise.cpp'
    assert (unpacked / path).read_text() == (repository / path).read_text()


def test_model_index_names_every_shipped_config(repository):
    index = yaml.safe_load((repository / 'model-index.yml').read_text())
    listed = {model['Config'] for model in index['Models']}
    shipped = {f'configs/{path.name}' for path in (repository / 'configs').glob('*.py')}
    assert listed == shipped
