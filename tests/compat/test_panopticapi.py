"""Who serves panopticapi, and what mmdet makes of it."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from effnet_dense.compat import SubstituteFinder, install


def run(code: str, repository: Path) -> str:
    """Run Python code in a new process from the repository's root; return what it printed."""
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=120,
        encoding='utf-8',
        errors='replace',
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_install_is_idempotent_and_cheap(repository: Path) -> None:
    code = (
        'import sys\n'
        'import effnet_dense\n'
        'from effnet_dense import compat\n'
        'compat.install()\n'
        'count = sum(isinstance(f, compat.SubstituteFinder) for f in sys.meta_path)\n'
        'print(count, "numpy" in sys.modules, "panopticapi" in sys.modules)\n'
    )
    assert run(code, repository) == '1 False False'


def test_an_installed_one_wins(repository: Path, tmp_path: Path) -> None:
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
    assert run(code, repository) == 'installed'


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
