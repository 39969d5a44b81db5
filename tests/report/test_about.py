"""Facts about a run."""

from __future__ import annotations

import os
import platform

import pytest
import torch

import effnet_dense
from effnet_dense.report import about


def test_versions_begin_with_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for commit in ('abc and changes', None):
        monkeypatch.setattr(about, 'git_commit', lambda root, commit=commit: commit)
        found = about.versions()
        assert found.get('commit') == commit
        assert next(iter(found)) == 'effnet_dense'
        assert found['effnet_dense'] == effnet_dense.__version__
        assert found['Python'] == platform.python_version()
        assert torch.__version__.startswith(found['torch'])


def test_gpus_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    assert list(about.hardware()) == ['Processor']
    for cores, words in ((1, ', 1 core'), (2, ', 2 cores')):
        monkeypatch.setattr(os, 'cpu_count', lambda cores=cores: cores)
        assert about.hardware()['Processor'].endswith(words)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(about, 'gpu_names', lambda: '2 × A')
    assert about.hardware()['GPUs'] == '2 × A'
