"""Read Markdown documents: headings, links, code spans and commands."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from effnet_dense.commands.main import load

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *(
        ROOT / name
        for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'benchmarks/README.md')
    ),
    *sorted((ROOT / 'docs').rglob('*.md')),
)
COMMAND = 'effnet-dense '
FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.M | re.S)
LAUNCHERS = {  # script → the tool that it starts, and how many arguments of its own come first
    'tools/dist_train.sh': ('train', slice(0, 1), 2),
    'tools/dist_test.sh': ('test', slice(0, 2), 3),
    'tools/slurm_train.sh': ('train', slice(2, 3), 3),
}


def name_of(path: Path) -> str:
    """A page's path within the repository, for the names of tests."""
    return str(path.relative_to(ROOT))


@cache
def text_of(path: Path) -> str:
    """A page's text."""
    return path.read_text(encoding='utf-8')


@cache
def prose_of(path: Path) -> str:
    """A page's text without code blocks."""
    return FENCE.sub('', text_of(path))


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a language, in order."""
    return [code for kind, code in FENCE.findall(text_of(path)) if kind == language]


def links(path: Path) -> list[str]:
    """The targets of links and images outside of code."""
    prose = re.sub(r'`[^`\n]*`', '', prose_of(path))
    return re.findall(r'\]\(([^()\s]+)\)', prose)


def spans(path: Path) -> list[str]:
    """The inline code spans."""
    return re.findall(r'`([^`\n]+)`', prose_of(path))


def tables(path: Path) -> list[list[str]]:
    """Runs of lines that begin with a bar."""
    groups = itertools.groupby(prose_of(path).split('\n'), lambda line: line.startswith('|'))
    return [list(lines) for is_table, lines in groups if is_table]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings that mkdocs and a forge agree on."""
    headings = re.findall(r'^#+ (.+?)\s*$', prose_of(path), re.M)
    return {forge_slug(h) for h in headings} & {mkdocs_slug(h) for h in headings}


def forge_slug(heading: str) -> str:
    """A heading's anchor on a forge: punctuation goes, each space is a hyphen."""
    return re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')


def mkdocs_slug(heading: str) -> str:
    """A heading's anchor in mkdocs: ASCII only, runs of hyphens joined."""
    ascii_only = heading.encode('ascii', 'ignore').decode()
    return re.sub(r'[-\s]+', '-', re.sub(r'[^\w\s-]', '', ascii_only).strip().lower())


def expand(pattern: str) -> list[str]:
    """The words of a shell's braces: 'd{0,1}' → 'd0', 'd1'."""
    parts = re.split(r'\{([^{}]*)\}', pattern)
    choices = [part.split(',') if i % 2 else [part] for i, part in enumerate(parts)]
    return [''.join(words) for words in itertools.product(*choices)]


def commands(path: Path) -> Iterator[list[str]]:
    """The words of each command in bash blocks, and of each code span that is one."""
    lines = [
        line for code in blocks(path, 'bash') for line in code.replace('\\\n', ' ').split('\n')
    ]
    lines += [
        span
        for span in spans(path)
        if span.startswith(('python ', 'bash ', COMMAND)) and '…' not in span
    ]
    for line in lines:
        words = shlex.split(line, comments=True)
        for ends, group in itertools.groupby(words, lambda word: word == ';'):
            command = list(itertools.dropwhile(lambda word: re.match(r'\w+=', word), group))
            if command and not ends:
                yield list(itertools.takewhile(lambda word: word != '>', command))


def tool_call(command: list[str]) -> tuple[str, list[str]] | None:
    """The tool, or command of ours, that is run, and its arguments; None for other programs."""
    match command:
        case ['python', '-m', module, *words] if module == 'benchmarks':
            return module, words
        case ['effnet-dense', name, *words] | ['python', '-m', 'effnet_dense', name, *words]:
            return f'{COMMAND}{name}', words
        case ['python', script, *words] if script.startswith('tools/'):
            return script.removeprefix('tools/').removesuffix('.py'), words
        case ['bash', script, *words] if script in LAUNCHERS:
            tool, own, count = LAUNCHERS[script]
            return tool, [*words[own], *words[count:]]
    return None


@cache
def parser_of(tool: str) -> ArgumentParser:
    """The command line of a script in tools/, of one of our commands, or of the benchmarks."""
    if tool.startswith(COMMAND):
        return load(tool.removeprefix(COMMAND)).parser()
    if tool.startswith('benchmarks'):
        spec = importlib.util.find_spec(f'{tool}.__main__')
    else:
        spec = importlib.util.spec_from_file_location(f'tool_{tool}', ROOT / f'tools/{tool}.py')
    assert spec is not None and spec.loader is not None, tool
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.parser()


def flags_of(parser: ArgumentParser) -> set[str]:
    """All flags of a command line, those of its subcommands too."""
    found = set()
    for action in parser._actions:
        found.update(action.option_strings)
        if isinstance(action, _SubParsersAction):
            for command in action.choices.values():
                found |= flags_of(command)
    return found
