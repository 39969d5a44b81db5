"""What users rely on, compared with the description in `tests/reference/contract.json`.

Additions pass. `tests/helpers/contract.py` writes the file; rewrite it only to break a promise on
purpose.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.contract import describe

PROMISED = json.loads(
    (Path(__file__).parent / 'reference' / 'contract.json').read_text(encoding='utf-8')
)


@pytest.fixture(scope='module')
def found(repository: Path) -> dict[str, Any]:
    """The description of this checkout."""
    return describe(repository)


def test_public_names(found: dict[str, Any]) -> None:
    assert set(PROMISED['public']) <= set(found['public'])


@pytest.mark.parametrize('registry', PROMISED['types'])
def test_registered_types(found: dict[str, Any], registry: str) -> None:
    assert set(PROMISED['types'][registry]) <= set(found['types'][registry])


@pytest.mark.parametrize(
    'registry, name', [(r, name) for r, types in PROMISED['types'].items() for name in types]
)
def test_constructor_parameters(found: dict[str, Any], registry: str, name: str) -> None:
    """Each parameter is still accepted, with the same default; new ones have a default."""
    promised, actual = PROMISED['types'][registry][name], found['types'][registry][name]
    assert promised == {key: default for key, default in actual.items() if key in promised}
    assert 'required' not in {default for key, default in actual.items() if key not in promised}


@pytest.mark.parametrize('model', PROMISED['state_dicts'])
def test_checkpoint_keys(found: dict[str, Any], model: str) -> None:
    """Keys, shapes and types of the state dict: old checkpoints load."""
    assert found['state_dicts'][model] == PROMISED['state_dicts'][model]


@pytest.mark.parametrize('config', PROMISED['configs'])
def test_config_keys_and_values(found: dict[str, Any], config: str) -> None:
    assert found['configs'][config] == PROMISED['configs'][config]


@pytest.mark.parametrize('command', PROMISED['commands'])
def test_flags_and_defaults(found: dict[str, Any], command: str) -> None:
    promised, actual = PROMISED['commands'][command], found['commands'][command]
    assert promised == {flag: default for flag, default in actual.items() if flag in promised}
