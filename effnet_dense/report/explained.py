"""The maps of the page's best and worst images, which `effnet-dense explain` draws."""

from __future__ import annotations

from pathlib import Path

from effnet_dense.evaluation.captions import ImageArray
from effnet_dense.report import panels
from effnet_dense.report.detection import Detections
from effnet_dense.report.ranking import best_and_worst
from effnet_dense.report.segmentation import Segments
from effnet_dense.report.store import load_arrays, report_folder
from effnet_dense.utils.outputs import is_ours, release


def shown_images(work_dir: str | Path) -> dict[str, Path]:
    """Return the images that a work folder's page shows, by the names of their drawings.

    Returns:
        'best_1', …, 'worst_1', …: path of the image.

    Raises:
        FileNotFoundError: There is no report of a detector or segmentor.
        ValueError: Its data are damaged.
    """
    data = report_folder(work_dir) / 'data'
    boxes = load_arrays(data / 'detections.npz', Detections)
    found = boxes or load_arrays(data / 'segments.npz', Segments)
    if found is None:
        raise FileNotFoundError(
            f'no evaluated images in {data}: expected detections.npz or segments.npz, which '
            '`effnet-dense test` writes'
        )
    return {
        f'{kind}_{place}': Path(str(found.paths[index]))
        for kind, indices in zip(('best', 'worst'), best_and_worst(found.scores), strict=True)
        for place, index in enumerate(indices.tolist(), 1)
    }


def map_file(folder: Path, name: str) -> Path:
    """Return where the maps of the image that is drawn as `name` lie in a report's folder."""
    return folder / 'images' / f'{name}_maps.jpg'


def write_maps(work_dir: str | Path, name: str, drawn: ImageArray | None) -> None:
    """Write an image's maps for the page, which shows them when it is written again.

    Args:
        work_dir: The work folder.
        name: A key of `shown_images`.
        drawn: (H, W, 3) uint8, RGB; None: there are none, and earlier ones are removed.
    """
    file = map_file(report_folder(work_dir), name)
    if drawn is not None:
        panels.write_jpeg(file, drawn)
    elif is_ours(file):
        file.unlink(missing_ok=True)
        release(file)
