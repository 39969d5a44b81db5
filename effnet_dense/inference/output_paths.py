"""Where the results of each image and video go, so that no two of them share a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from effnet_dense.evaluation.image_writing import drawing_names
from effnet_dense.inference.inputs import Input
from effnet_dense.utils.output_names import drop_suffix, folders_of, replace_suffix
from effnet_dense.utils.outputs import check_free, check_not_read

LISTS = ('images.json', 'predictions.json', 'panoptic.json', 'annotations.json')


@dataclass(frozen=True)
class OutputPaths:
    """Names of results, relative to the folder of results.

    Attributes:
        drawings: Input's name → drawn image or video, in pictures/; of 'a.pgm', which has no
            colours, 'a.png'.
        maps: Image's name → its label map, in labels/ or panoptic/; of 'a.jpg' 'a.png', where two
            images differ in their suffixes only 'a.jpg.png'.
        frames: Video's name → folder of its frames; of 'street.mp4' 'street', where that is a
            folder of images 'street.mp4'.
    """

    drawings: dict[str, str]
    maps: dict[str, str]
    frames: dict[str, str]

    @classmethod
    def of(cls, inputs: Sequence[Input]) -> OutputPaths:
        """Name the results of all inputs."""
        images = [item.name for item in inputs if not item.is_video]
        videos = [item.name for item in inputs if item.is_video]
        folders = folders_of(images)
        drawn = replace_suffix(videos, '.mp4', folders | set(images))
        frames = drop_suffix(videos, folders | set(images))
        maps = replace_suffix(images, '.png', folders | set(frames.values()))
        pictures = drawing_names(images, drawn.values())
        return cls({**pictures, **drawn}, maps, frames)

    def check(self, out: Path, inputs: Sequence[Input], ann_file: str | Path | None = None) -> None:
        """Check that results replace neither inputs nor files that the package did not write.

        Raises:
            FileExistsError: A result has the name of a file that the package did not write.
            ValueError: A result would replace an input.
        """
        files = list(self._files(out))
        check_not_read(files, [item.path for item in inputs] + ([ann_file] if ann_file else []))
        check_free(files)

    def _files(self, out: Path) -> Iterator[Path]:
        """Yield all files that may be written; of videos' frames those that exist."""
        yield from (out / name for name in LISTS)
        yield from (out / 'pictures' / name for name in self.drawings.values())
        for folder in ('labels', 'panoptic'):
            yield from (out / folder / name for name in self.maps.values())
            for frames in self.frames.values():
                yield from (out / folder / frames).glob('[0-9]*.png')
