"""The tables of policies."""

from __future__ import annotations

import pytest

from effnet_dense.data.transforms.albumentations_config import build_transform
from effnet_dense.data.transforms.policy_tables import POLICIES, albumentations_policy


@pytest.mark.parametrize('name', POLICIES)
def test_every_policy_builds_from_a_copy(name: str) -> None:
    configs = albumentations_policy(name)
    assert configs == POLICIES[name]
    assert [type(build_transform(config)).__name__ for config in configs] == [
        config['type'] for config in configs
    ]
    configs[0]['p'] = 0.123
    assert POLICIES[name][0]['p'] != 0.123


def test_other_names() -> None:
    with pytest.raises(ValueError, match=r"no policy 'strong', expected one of \['light', 'med"):
        albumentations_policy('strong')
