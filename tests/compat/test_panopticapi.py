"""Who serves panopticapi, and what mmdet makes of it."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import pytest

from effnet_dense.compat import SubstituteFinder, install
from tests.helpers.tool import run_python


def test_install_is_idempotent_and_cheap() -> None:
    code = (
        'import sys\n'
        'import effnet_dense\n'
        'from effnet_dense import compat\n'
        'compat.install()\n'
        'count = sum(isinstance(f, compat.SubstituteFinder) for f in sys.meta_path)\n'
        'print(count, "numpy" in sys.modules, "panopticapi" in sys.modules)\n'
    )
    assert run_python(code).strip() == '1 False False'


def test_an_installed_one_wins(tmp_path: Path) -> None:
    (tmp_path / 'panopticapi').mkdir()
    (tmp_path / 'panopticapi' / '__init__.py').write_text(
        'origin = "installed"\n', encoding='utf-8'
    )
    code = (
        'import sys, effnet_dense\n'
        f'sys.path.append({str(tmp_path)!r})\n'
        'import panopticapi\n'
        'print(panopticapi.origin)\n'
    )
    assert run_python(code).strip() == 'installed'


def test_nothing_else_is_served() -> None:
    install()
    finder = SubstituteFinder()
    assert finder.find_spec('panopticapi') is not None
    assert finder.find_spec('panopticapi.combine_semantic_and_instance_predictions') is None
    assert importlib.util.find_spec('panopticapi.evaluation') is not None
    assert importlib.util.find_spec('panopticapi.converters') is None
    with pytest.raises(ImportError, match="cannot import name 'pq_compute'"):
        from panopticapi.evaluation import pq_compute  # noqa: F401


def test_mmdet_has_its_names() -> None:
    from mmdet.evaluation.functional import panoptic_utils
    from mmdet.evaluation.metrics import coco_panoptic_metric
    from panopticapi.evaluation import PQStat

    assert panoptic_utils.PQStat is coco_panoptic_metric.PQStat is PQStat
    # Counts come back from other processes as pickles.
    stat = PQStat()
    stat[7].tp += 2
    assert pickle.loads(pickle.dumps(stat))[7].tp == 2
