"""Find the images and videos to predict on, and name their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from effnet_dense.data.image_files import IMAGE_SUFFIXES, list_files

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

    Args:
        sources: Files and folders.
        out: The folder of results, which is not searched.

    Raises:
        FileNotFoundError: A file or folder does not exist, or a folder has no images or videos.
        ValueError: Results of two files would have the same name.
    """
    found = [item for source in sources for item in _inputs_of(Path(source), Path(out).resolve())]
    stems = Counter(PurePath(item.name).with_suffix('').as_posix() for item in found)
    twice = [stem for stem, count in stems.items() if count > 1]
    if twice:
        raise ValueError(
            f'{len(twice)} names of images occur more than once, and their results would '
            f'overwrite each other: {", ".join(twice[:3])}; pass their common folder or rename them'
        )
    return found


def _inputs_of(source: Path, out: Path) -> Iterator[Input]:
    if not source.exists():
        raise FileNotFoundError(f'no image, folder or video at {source}')
    if not source.is_dir():
        yield Input(source, source.name)
        return
    known = IMAGE_SUFFIXES | VIDEO_SUFFIXES
    names = [name for name in list_files(source) if name.suffix.lower() in known]
    kept = [name for name in names if out not in (source / name).resolve().parents]
    if not kept:
        raise FileNotFoundError(f'{source} has no images or videos ({", ".join(sorted(known))})')
    for name in kept:
        yield Input(source / name, name.as_posix())
