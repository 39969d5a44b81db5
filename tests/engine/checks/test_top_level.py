"""A test needs a data loader, an evaluator and a loop."""

from __future__ import annotations

import re

import pytest
from mmengine.config import Config

from effnet_dense.engine.checks.top_level import check_tested


def test_what_a_test_needs() -> None:
    check_tested(Config(dict(test_dataloader={}, test_evaluator=[], test_cfg={})))
    missing = 'the config has no test_dataloader, test_cfg, which a test needs'
    with pytest.raises(ValueError, match=re.escape(missing)):
        check_tested(Config(dict(test_evaluator={}, test_cfg=None)))
