"""Workflows and templates of .github: valid YAML that agrees with the package's metadata."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parent.parent / '.github'
WORKFLOWS = sorted((FOLDER / 'workflows').glob('*.yml'))
FORMS = sorted(path for path in (FOLDER / 'ISSUE_TEMPLATE').glob('*.yml') if path.stem != 'config')


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding='utf-8'))


def jobs(workflow: Path) -> dict[str, dict[str, Any]]:
    return read(workflow)['jobs']


def commands(workflow: Path) -> list[str]:
    steps = [step for job in jobs(workflow).values() for step in job['steps']]
    return [step['run'] for step in steps if 'run' in step]


def test_there_are_workflows_and_forms() -> None:
    assert {path.stem for path in WORKFLOWS} == {'docs', 'tests', 'wheel'}
    assert {path.stem for path in FORMS} == {'bug', 'question'}
    assert (FOLDER / 'PULL_REQUEST_TEMPLATE.md').is_file()


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_limited(path: Path) -> None:
    """Each runs on pull requests and main, may only read, and ends."""
    workflow = read(path)
    events = workflow[True]  # YAML 1.1 reads the key `on` as true
    assert 'pull_request' in events
    assert events['push']['branches'] == ['main']
    assert workflow['permissions'] == {'contents': 'read'}
    for name, job in jobs(path).items():
        assert job['timeout-minutes'] <= 60, name
        assert all(('run' in step) != ('uses' in step) for step in job['steps']), name


@pytest.mark.parametrize('path', WORKFLOWS, ids=lambda path: path.stem)
def test_files_that_workflows_name_exist(path: Path, repository: Path) -> None:
    for name in re.findall(r'requirements/[\w-]+\.txt', path.read_text(encoding='utf-8')):
        assert (repository / name).is_file(), name


def test_python_versions_are_those_of_the_classifiers(repository: Path) -> None:
    project = tomllib.loads((repository / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    versions = [line.rpartition(' ')[2] for line in project['classifiers'] if ':: 3.' in line]
    assert jobs(FOLDER / 'workflows' / 'tests.yml')['tests']['strategy']['matrix'] == {
        'python': versions
    }


def test_continuous_integration_runs_what_the_script_runs(repository: Path) -> None:
    """`tools/test.sh` and the workflow check the same; pull requests skip slow tests only."""
    run = commands(FOLDER / 'workflows' / 'tests.yml')
    script = (repository / 'tools' / 'test.sh').read_text(encoding='utf-8')
    for command in ('ruff format --check .', 'ruff check .', 'mypy', 'lint-imports'):
        assert command in run
        assert re.search(rf'^{re.escape(command)}$', script, re.M), command
    assert "pytest -n logical --dist loadfile -m 'not slow' --durations=15" in run
    assert 'pytest -n logical --dist loadfile --durations=15' in run
    assert 'pytest -n logical --dist loadfile --durations=15' in script


def test_lowest_and_newest_versions_are_tested() -> None:
    matrix = jobs(FOLDER / 'workflows' / 'tests.yml')['versions']['strategy']['matrix']['include']
    constraints = {each['versions']: each['constraint'] for each in matrix}
    assert constraints == {'lowest': '-c requirements/lowest.txt', 'newest': ''}


@pytest.mark.parametrize('path', FORMS, ids=lambda path: path.stem)
def test_issue_forms(path: Path) -> None:
    """The keys that GitHub requires; ids are unique."""
    form = read(path)
    assert form['name'] and form['description']
    ids = [field['id'] for field in form['body']]
    assert len(set(ids)) == len(ids)
    for field in form['body']:
        assert field['type'] in ('textarea', 'dropdown', 'input', 'checkboxes')
        assert field['attributes']['label']
        assert field['type'] != 'dropdown' or len(set(field['attributes']['options'])) > 1
    assert any(field.get('validations', {}).get('required') for field in form['body'])
