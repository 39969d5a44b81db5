"""Logging backends besides mmengine's own files."""

from __future__ import annotations

import importlib.util

import pytest
from mmengine.config import Config

from effnet_dense.engine.settings.loggers import set_loggers

LOCAL, BOARD = dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')


def test_they_are_added_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: object())
    config = Config({})
    set_loggers(config, ['tensorboard'])
    assert config.visualizer == dict(type='Visualizer', vis_backends=[LOCAL, BOARD])
    set_loggers(config, ['tensorboard', 'wandb', 'mlflow'])
    kinds = [backend.type for backend in config.visualizer.vis_backends]
    assert kinds == [
        *('LocalVisBackend', 'TensorboardVisBackend', 'WandbVisBackend', 'MLflowVisBackend')
    ]


def test_a_backend_alone_stays() -> None:
    config = Config(dict(visualizer=dict(type='DetLocalVisualizer', vis_backends=LOCAL)))
    set_loggers(config, ['tensorboard'])
    assert config.visualizer == dict(type='DetLocalVisualizer', vis_backends=[LOCAL, BOARD])


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    config = Config({})
    with pytest.raises(ImportError, match=r'--mlflow needs a package .*: pip install mlflow'):
        set_loggers(config, ['mlflow'])
    assert config.to_dict() == {}
