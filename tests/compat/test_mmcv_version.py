"""A compiled mmcv beside the package, and versions that mmdet and mmseg refuse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from effnet_dense.compat.mmcv_version import numbers
from tests.helpers.tool import environment, run_python

CODE = 'import effnet_dense, mmcv._ext as ext\nprint(ext.marker)\n'


def stand_in(folder: Path, version: str) -> dict[str, str]:
    """Write packages as they are installed; return variables with which they are found first."""
    for name, file, text in (
        ('mmcv', 'version.py', f"__version__ = '{version}'\n"),
        ('mmdet', '__init__.py', "mmcv_maximum_version = '2.2.0'\n"),
        ('mmseg', '__init__.py', "MMCV_MAX = '2.2.0'\n"),
    ):
        (folder / name).mkdir()
        (folder / name / '__init__.py').touch()
        (folder / name / file).write_text(text, encoding='utf-8')
    (folder / 'mmcv' / '_ext.py').write_text("marker = 'compiled'\n", encoding='utf-8')
    paths = os.pathsep.join([str(folder), environment()['PYTHONPATH']])
    return environment(PYTHONPATH=paths)


@pytest.mark.parametrize(('version', 'refused'), [('2.1.0', False), ('2.2.0', True)])
def test_a_compiled_mmcv_is_left_alone(version: str, refused: bool, tmp_path: Path) -> None:
    variables = stand_in(tmp_path, version)
    catching = f'import warnings\nwith warnings.catch_warnings(record=True) as w:\n    {CODE}'
    catching = catching.replace('\nprint', '\n    print') + 'print(*[str(x.message) for x in w])'
    shown = run_python(catching, variables=variables)
    assert shown.splitlines()[0] == 'compiled'
    sentence = 'mmcv 2.2.0 is installed, which mmdet (below 2.2.0) and mmseg (below 2.2.0) will'
    assert (sentence in shown) == refused
    assert shown.count('mmcv-lite==2.1.0') == int(refused)


@pytest.mark.parametrize(
    ('version', 'expected'), [('2.2.0', (2, 2, 0)), ('2.0.0rc4', (2, 0, 0)), ('3', (3,))]
)
def test_numbers(version: str, expected: tuple[int, ...]) -> None:
    assert numbers(version) == expected
