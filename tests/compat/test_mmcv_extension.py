"""Who serves mmcv._ext, when it is imported, and what an absent operator says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.helpers.tool import run_python

# A full mmcv has the real module; what is tested here is the life without it.
pytestmark = pytest.mark.skipif(
    bool(importlib.util.find_spec('mmcv'))
    and any((Path(importlib.util.find_spec('mmcv').origin).parent).glob('_ext.*')),
    reason='this mmcv has its compiled operators',
)


@pytest.mark.slow
def test_openmmlab_imports() -> None:
    """And other modules of mmcv stay missing."""
    code = (
        'import effnet_dense\n'
        'from importlib.util import find_spec\n'
        'print(find_spec("mmcv._ext2"), find_spec("_ext"))\n'
        'import mmdet.models, mmdet.datasets, mmdet.evaluation, mmseg.models\n'
        'from mmengine.utils.dl_utils import mmcv_full_available\n'
        'import importlib.util\n'
        'import mmcv._ext as ext\n'
        'spec = importlib.util.find_spec("mmcv._ext")\n'
        'print(mmcv_full_available(), spec is ext.__spec__, spec.name)\n'
    )
    assert run_python(code).strip() == 'None None\nTrue True mmcv._ext'


@pytest.mark.slow
def test_import_after_an_earlier_failure() -> None:
    code = (
        'try:\n'
        '    import mmdet.models\n'
        'except ModuleNotFoundError as error:\n'
        '    print(error.name)\n'
        'import effnet_dense, mmdet.models\n'
        'print("RetinaNet" in mmdet.models.detectors.__all__)\n'
    )
    assert run_python(code).strip().split() == ['mmcv._ext', 'True']


def test_install_is_idempotent_and_cheap() -> None:
    code = (
        'import sys\n'
        'from effnet_dense import compat\n'
        'compat.install()\n'
        'compat.install()\n'
        'count = sum(isinstance(f, compat.SubstituteFinder) for f in sys.meta_path)\n'
        'last = isinstance(sys.meta_path[-1], compat.SubstituteFinder)\n'
        'print(count, last, "torch" in sys.modules, "mmcv" in sys.modules)\n'
    )
    assert run_python(code).strip() == '1 True False False'


@pytest.mark.slow
def test_real_extension_wins(tmp_path: Path) -> None:
    # As if mmcv's own folder had the compiled module: the folder below joins the package's path.
    (tmp_path / '_ext.py').write_text('nms = "real"\n', encoding='utf-8')
    code = (
        'import effnet_dense, mmcv\n'
        f'mmcv.__path__.append({str(tmp_path)!r})\n'
        'import mmcv._ext\n'
        'print(mmcv._ext.nms, hasattr(mmcv._ext, "roi_align_forward"))\n'
    )
    assert run_python(code).strip() == 'real False'


def test_absent_operator_raises_when_used() -> None:
    import torch
    from mmcv.ops import upfirdn2d  # importing it, and mmcv.ops as a whole, is fine
    from mmcv.ops.min_area_polygons import min_area_polygons

    assert callable(upfirdn2d)
    with pytest.raises(NotImplementedError) as error:
        min_area_polygons(torch.zeros(1, 18))
    message = str(error.value)
    assert "'min_area_polygons'" in message
    assert 'full mmcv' in message
    assert f'torch {torch.__version__}' in message


def test_private_names_are_not_operators() -> None:
    import mmcv._ext

    for name in ('__wrapped__', '__path__', '_private'):
        assert not hasattr(mmcv._ext, name)
    assert mmcv._ext.some_operator.__name__ == 'some_operator'


def test_every_counterpart_is_one_that_mmcv_calls() -> None:
    import mmcv._ext

    folder = Path(importlib.util.find_spec('mmcv').origin).parent / 'ops'
    covered = set(mmcv._ext.__all__)
    called = {
        name
        for name in covered
        if any(
            f'ext_module.{name}(' in path.read_text(encoding='utf-8')
            for path in folder.glob('*.py')
        )
    }
    assert called == covered  # nothing is spelled in a way that mmcv never asks for


def test_collect_env_says_where_the_operators_come_from() -> None:
    from mmcv.ops import get_compiler_version, get_compiling_cuda_version

    assert 'effnet_dense' in get_compiler_version()
    assert 'effnet_dense' in get_compiling_cuda_version()
