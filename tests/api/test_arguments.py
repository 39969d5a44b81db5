"""Mistyped arguments of the Python functions."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import effnet_dense


@pytest.mark.parametrize(
    ('name', 'wrong', 'words'),
    [
        ('train', 'epoch', "train.. has no argument 'epoch': did you mean 'epochs'?"),
        ('train', 'batchsize', "did you mean 'batch_size'"),
        ('train', 'zzz', "no argument 'zzz': it has config, data, "),
        ('evaluate', 'worker', "evaluate.. has no argument 'worker': did you mean 'workers'?"),
        ('list_models', 'patern', "did you mean 'pattern'"),
    ],
)
def test_the_meant_argument_is_named(name: str, wrong: str, words: str) -> None:
    function: Any = getattr(effnet_dense, name)
    with pytest.raises(TypeError, match=words):
        function(**{wrong: 1})


def test_signatures_stay() -> None:
    parameters = inspect.signature(effnet_dense.train).parameters
    assert list(parameters)[:3] == ['config', 'data', 'work_dir'] and 'epochs' in parameters
