import subprocess
import sys

import pytest

import effnet_dense


def test_public_names_are_there():
    for name in effnet_dense.__all__:
        assert getattr(effnet_dense, name) is not None, name
        assert name in dir(effnet_dense)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'effnet_dense' has no attribute 'Efficientnet'"):
        effnet_dense.Efficientnet  # noqa: B018


def test_importing_the_package_loads_neither_torch_nor_openmmlab():
    code = (
        'import sys, effnet_dense; '
        'heavy = {"torch", "mmengine", "mmcv", "mmdet", "mmseg"} & set(sys.modules); '
        'print(*heavy)'
    )
    result = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        check=True,
        encoding='utf-8',
        errors='replace',
    )
    assert result.stdout.strip() == ''
