"""Find the images and videos to predict on, and name their results."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from effnet_dense.data.image_files import IMAGE_SUFFIXES, list_files
from effnet_dense.utils.counted import counted
from effnet_dense.utils.output_names import portable_names, relative_names
from effnet_dense.utils.outputs import is_ours

VIDEO_SUFFIXES = frozenset(['.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm'])


SHOWN = 8
"""Suffixes of files left out that are named."""


@dataclass(frozen=True)
class Input:
    """A file and the name of its results: its path relative to the given folder, as UTF-8."""

    path: Path
    name: str

    @property
    def is_video(self) -> bool:
        """Whether the suffix is a video's."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES


def find_inputs(
    sources: Sequence[str | Path],
    out: str | Path,
    skip: Callable[[str], None] = lambda line: None,
    note: Callable[[str], None] = lambda line: None,
    more: Collection[str] = (),
) -> list[Input]:
    """Find images and videos: given files, and those in folders and subfolders, sorted.

    Names are relative to the given folder; where two files would have one name, all are relative
    to the folder that they have in common. A file that is given twice counts once. What is not a
    regular file, such as a link to nothing, is found too: it is named when it is read.

    Args:
        sources: Files and folders.
        out: The folder of results, which is not searched; if it is the source itself, only results
            are left out.
        skip: Is given a line for each folder that cannot be listed, or has no images or videos.
        note: Is given a line for each folder with other files, which are left out.
        more: Suffixes of other files that are images, such as '.npy'.

    Raises:
        FileNotFoundError: A source does not exist, or there are no images or videos at all.
    """
    check_sources(sources)
    lines: list[str] = []
    given = [
        item
        for source in sources
        for item in _inputs_of(Path(source), Path(out).resolve(), lines.append, note, more)
    ]
    if not given:
        raise FileNotFoundError('; '.join(lines) or 'no images, folders or videos are given')
    for line in lines:
        skip(line)
    return _named(given)


def check_sources(sources: Sequence[str | Path]) -> None:
    """Raise `FileNotFoundError` unless every source exists, before a model is built for them."""
    for source in sources:
        if not os.path.lexists(source):
            raise FileNotFoundError(f'no image, folder or video at {source}')


def _named(given: Sequence[Input]) -> list[Input]:
    """Drop repeated files, and give each its own name in UTF-8."""
    distinct: dict[str, Input] = {}
    for item in given:
        distinct.setdefault(os.path.abspath(item.path), item)
    found = list(distinct.values())
    if len({item.name for item in found}) < len(found):
        names = relative_names(item.path for item in found)
        found = [Input(item.path, names[str(item.path)]) for item in found]
    portable = portable_names(item.name for item in found)
    return [Input(item.path, portable[item.name]) for item in found]


def _inputs_of(
    source: Path,
    out: Path,
    skip: Callable[[str], None],
    note: Callable[[str], None],
    more: Collection[str],
) -> Iterator[Input]:
    if not source.is_dir():
        yield Input(source, source.name)
        return
    known = IMAGE_SUFFIXES | VIDEO_SUFFIXES | {*more}
    failed: list[OSError] = []
    files = list(list_files(source, failed.append))
    names = [name for name in files if not _is_result(source, name, out)]
    kept = [name for name in names if name.suffix.lower() in known]
    if others := [name for name in names if name.suffix.lower() not in known]:
        note(f'{source}: {_left_out(others)}')
    for error in failed:
        skip(f'cannot list {error.filename}: {error.strerror}')
    if not kept and not failed:
        skip(f'{source} has no images or videos ({", ".join(sorted(known))})')
    for name in kept:
        yield Input(source / name, name.as_posix())


def _left_out(names: Sequence[PurePath]) -> str:
    """Describe files that are no images or videos by their suffixes."""
    counts = Counter(name.suffix.lower() or 'without a suffix' for name in names)
    kinds = ', '.join(f'{count} × {kind}' for kind, count in sorted(counts.items())[:SHOWN])
    more = ', …' if len(counts) > SHOWN else ''
    examples = ', '.join(map(str, names[:3])) + (', …' if len(names) > 3 else '')
    files = counted(
        len(names), 'file that is no image or video is', 'files that are no images or videos are'
    )
    return f'{files} left out: {kinds}{more} ({examples})'


def _is_result(source: Path, name: PurePath, out: Path) -> bool:
    """Whether a file of a source is one of the results that this or an earlier run writes."""
    path = Path(os.path.realpath(source / name))  # unlike `resolve`, also for a link to itself
    if out == source.resolve():
        return is_ours(source / name)
    return out in path.parents and out not in source.resolve().parents
