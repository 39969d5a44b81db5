"""Find the images and videos to predict on, and name their results."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from effnet_dense.data.image_files import IMAGE_SUFFIXES, list_files
from effnet_dense.utils.output_names import relative_names
from effnet_dense.utils.outputs import is_ours

VIDEO_SUFFIXES = frozenset(['.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm'])


@dataclass(frozen=True)
class Input:
    """A file and the name of its results: its path relative to the given folder."""

    path: Path
    name: str

    @property
    def is_video(self) -> bool:
        """Whether the suffix is a video's."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES


def find_inputs(sources: Sequence[str | Path], out: str | Path) -> list[Input]:
    """Find images and videos: given files, and those in folders and subfolders, sorted.

    Names are relative to the given folder; where two files would have one name, all are relative
    to the folder that they have in common. A file that is given twice counts once.

    Args:
        sources: Files and folders.
        out: The folder of results, which is not searched; if it is the source itself, only results
            are left out.

    Raises:
        FileNotFoundError: A file or folder does not exist, or a folder has no images or videos.
    """
    given = (item for source in sources for item in _inputs_of(Path(source), Path(out).resolve()))
    distinct: dict[str, Input] = {}
    for item in given:
        distinct.setdefault(os.path.abspath(item.path), item)
    found = list(distinct.values())
    if len({item.name for item in found}) == len(found):
        return found
    names = relative_names(item.path for item in found)
    return [Input(item.path, names[str(item.path)]) for item in found]


def _inputs_of(source: Path, out: Path) -> Iterator[Input]:
    if not source.exists():
        raise FileNotFoundError(f'no image, folder or video at {source}')
    if not source.is_dir():
        yield Input(source, source.name)
        return
    known = IMAGE_SUFFIXES | VIDEO_SUFFIXES
    names = [name for name in list_files(source) if name.suffix.lower() in known]
    kept = [name for name in names if not _is_result(source, name, out)]
    if not kept:
        raise FileNotFoundError(f'{source} has no images or videos ({", ".join(sorted(known))})')
    for name in kept:
        yield Input(source / name, name.as_posix())


def _is_result(source: Path, name: PurePath, out: Path) -> bool:
    """Whether a file of a source is one of the results that this or an earlier run writes."""
    path = (source / name).resolve()
    if out == source.resolve():
        return is_ours(source / name)
    return out in path.parents and out not in source.resolve().parents
