"""The README: short, and shown by package indexes and forges."""

from __future__ import annotations

import pytest

from tests.helpers import documents

README = documents.ROOT / 'README.md'
FIGURE_BYTES = 150_000


def test_length() -> None:
    assert len(documents.text_of(README).splitlines()) <= 150


def test_the_two_commands() -> None:
    (install, *_) = documents.blocks(README, 'bash')
    assert [line.split(' #')[0].strip() for line in install.splitlines()] == [
        'bash tools/demo.sh',
        'bash tools/test.sh',
    ]
    assert 'bash tools/test.sh' in (documents.ROOT / '.ci' / 'run').read_text(encoding='utf-8')


def test_figure_is_small() -> None:
    images = [link for link in documents.links(README) if link.endswith(('.jpg', '.png'))]
    assert images == ['docs/images/demo.jpg']
    assert (documents.ROOT / images[0]).stat().st_size <= FIGURE_BYTES


def test_renders_as_on_package_indexes() -> None:
    pytest.importorskip('comrak', reason='needs readme_renderer[md]')
    markdown = pytest.importorskip('readme_renderer.markdown', reason='needs readme_renderer[md]')
    text = documents.text_of(README)
    html = markdown.render(text)
    assert html is not None
    assert html.count('<table>') == text.count('|---|\n')
    assert html.count('<pre') == len(documents.FENCE.findall(text))
    assert '<img' in html


def test_every_page_is_linked() -> None:
    linked = {link.partition('#')[0] for link in documents.links(README)}
    names = {documents.name_of(page) for page in documents.PAGES}
    missing = {name for name in names if not name.startswith('docs/api/')} - linked
    assert missing == {'README.md', 'docs/index.md'}
