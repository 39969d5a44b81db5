"""Links, anchors, paths, names, commands and flags in the documentation exist."""

from __future__ import annotations

import ast
import importlib.util
import re
from itertools import pairwise
from pathlib import Path

import pytest
from mmengine import registry

from effnet_dense.commands.main import COMMANDS
from effnet_dense.engine.config import shipped_configs
from tests.helpers import documents

pages = pytest.mark.parametrize('page', documents.PAGES, ids=documents.name_of)

FOLDERS = r'(?:configs|tools|docs|tests|effnet_dense|benchmarks|requirements|\.ci)'
PATH = re.compile(rf'{FOLDERS}/[\w./{{}},*-]*')
FLAG = re.compile(r'(?<![\w-])--[a-z][\w-]*')
CONFIG = re.compile(r'(?:effnet|efficientdet)_\w*_\w+(?:\.py)?')
# Names of theirs that look like our configs'.
FOREIGN = {'efficientdet_d0.pth', 'effnet_dense'}
REGISTRIES = (
    *(registry.MODELS, registry.TASK_UTILS, registry.TRANSFORMS, registry.DATASETS),
    *(registry.METRICS, registry.HOOKS, registry.RUNNERS, registry.VISUALIZERS),
)
TOOLS = sorted(path.stem for path in (documents.ROOT / 'tools').glob('*.py'))
PIP_FLAGS = {
    *('--no-deps', '--force-reinstall', '--no-index', '--target', '--python-version', '--platform'),
    '--only-binary',
}
SCRIPTS = (
    *documents.ROOT.glob('tools/*.sh'),
    documents.ROOT / 'tests/helpers/kill_training.py',
    documents.ROOT / 'benchmarks/exports.py',
)


@pages
def test_links(page: Path) -> None:
    for link in documents.links(page):
        if re.match(r'\w+://|mailto:', link):
            continue
        target, _, anchor = link.partition('#')
        path = (page.parent / target).resolve() if target else page
        assert path.is_file(), f'{link}: no such file'
        assert not anchor or anchor in documents.anchors(path), f'{link}: no such heading'


@pages
def test_paths(page: Path) -> None:
    text = [span for span in documents.spans(page) if ' ' not in span]
    text += [word for command in documents.commands(page) for word in command]
    for pattern in filter(PATH.fullmatch, text):
        for name in documents.expand(pattern):
            found = (
                any(documents.ROOT.glob(name)) if '*' in name else (documents.ROOT / name).exists()
            )
            assert found, f'{name}: no such file'


@pages
def test_configs(page: Path) -> None:
    shipped = shipped_configs()
    text = [span for span in documents.spans(page) if ' ' not in span]
    text += [word for command in documents.commands(page) for word in command]
    for pattern in filter(CONFIG.fullmatch, text):
        for name in documents.expand(pattern):
            assert name.removesuffix('.py') in {*shipped, *FOREIGN}, f'{name}: no such config'


@pages
def test_names(page: Path) -> None:
    text = documents.text_of(page)
    for name in set(re.findall(r'(?<![\w/])effnet_dense(?:\.\w+)+', text)):
        if name == 'effnet_dense.X':  # any
            continue
        assert is_registered(name) or resolves(name), f'{name}: no such name'


def is_registered(name: str) -> bool:
    """Whether configs can name it as a type."""
    return any(one.get(name) is not None for one in REGISTRIES)


def resolves(name: str) -> bool:
    """Whether it is a module, or an attribute of one."""
    parts = name.split('.')
    for end in range(len(parts), 0, -1):
        try:
            value = importlib.import_module('.'.join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            value = getattr(value, part, None)
        return value is not None
    return False


@pages
def test_commands(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in documents.commands(page):
        if command[:2] == ['python', '-m']:
            assert importlib.util.find_spec(command[2]) is not None, f'{command[2]}: no such module'
        call = documents.tool_call(command)
        if call is None:
            continue
        tool, words = call
        if words in ([], ['--help']):  # the tool's name alone
            continue
        try:
            documents.parser_of(tool).parse_args(words)
        except SystemExit:
            pytest.fail(f'{" ".join(command)}: {capsys.readouterr().err}')


@pages
def test_flags(page: Path) -> None:
    known = set(PIP_FLAGS)
    for script in SCRIPTS:
        known |= set(FLAG.findall(documents.text_of(script)))
    commands = [f'{documents.COMMAND}{name}' for name in COMMANDS]
    for tool in (*TOOLS, *commands, 'benchmarks', 'benchmarks.gpu'):
        known |= documents.flags_of(documents.parser_of(tool))
    for span in documents.spans(page):
        for flag in FLAG.findall(span):
            assert flag in known, f'{flag}: no tool has it'


@pages
def test_python(page: Path) -> None:
    for code in documents.blocks(page, 'python'):
        ast.parse(code)


@pages
def test_tables(page: Path) -> None:
    """Every line with bars belongs to a table with a delimiter row, and has as many cells."""
    for lines in documents.tables(page):
        assert len(lines) > 2 and re.fullmatch(r'[|:\- ]+', lines[1]), f'no table: {lines[0]}'
        cells = [len(re.findall(r'(?<!\\)\|', re.sub(r'`[^`]*`', '', line))) for line in lines]
        assert len(set(cells)) == 1, f'cells differ: {lines[0]}'


@pages
def test_lists(page: Path) -> None:
    """A list begins after an empty line: mkdocs shows it as text otherwise, forges as a list."""
    lines = ['', *documents.prose_of(page).split('\n')]
    for before, line in pairwise(lines):
        if re.match(r'(-|\d+\.) ', line):
            assert re.match(r'$|(-|\d+\.) |  ', before), f'no empty line before: {line}'
