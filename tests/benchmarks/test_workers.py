"""What a core loads, and the workers that follow from it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from mmdet.datasets.transforms import PackDetInputs

from benchmarks import workers
from effnet_dense.data import make_demo
from effnet_dense.data.batch_buffers import Collate
from effnet_dense.data.transforms import packing
from effnet_dense.engine import load_config


@pytest.fixture(scope='module')
def config(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp('workers')
    make_demo(folder)
    return load_config('effnet_lite0_retinanet_finetune', data=folder)


def test_whole_workers() -> None:
    assert workers.workers_needed(200, 5.0) == 1
    assert workers.workers_needed(201, 5.0) == 2
    assert workers.workers_needed(10, 0.1) == 1


@pytest.mark.slow
def test_steps_of_both_kinds(config: Any) -> None:
    found = workers.measure_steps(config, 1)
    assert tuple(found) == workers.KINDS
    for steps in found.values():
        *names, last, total = steps
        assert names[0] in ('LoadImageFromFile', 'LoadEncoded')
        assert names[-1] == 'PackDetInputs'
        assert (last, total) == (workers.OTHER, workers.TOTAL)
        assert sum(steps.values()) == pytest.approx(2 * steps[total])


@pytest.mark.slow
def test_loaders_of_both_kinds(config: Any) -> None:
    plain, own = (workers.build_loader(config, kind, 1) for kind in workers.KINDS[:2])
    assert type(plain.dataset.pipeline.transforms[-1]) is PackDetInputs  # type: ignore[attr-defined]
    assert type(own.dataset.pipeline.transforms[-1]) is packing.PackDetInputs  # type: ignore[attr-defined]
    assert not isinstance(plain.collate_fn, Collate)
    assert isinstance(own.collate_fn, Collate)
    process = workers.Process(own)
    process.run(0)
    assert len(process.worker) == 1
    assert process.training[0] > 0
    assert workers.cpu_seconds(os.getpid()) > 0
    for one, other in zip(own, workers.build_loader(config, 'ours'), strict=True):
        for image, same in zip(one['inputs'], other['inputs'], strict=True):
            assert image.equal(same)
