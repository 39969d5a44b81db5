"""Find the endings by which names of label maps differ from those of their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

IMAGE_ENDS = ('', '_leftImg8bit', '_image', '_img', '_sat', '_rgb', '_RGB', '_photo', '_im')
LABEL_ENDS = (
    *('_gtFine_labelTrainIds', '_gtCoarse_labelTrainIds', '_labelTrainIds'),
    *('_gtFine_labelIds', '_gtCoarse_labelIds', '_labelIds'),
    *('_L', '_mask', '_masks', '_label', '_labels', '_gt', '_seg', '_segmentation', '_lbl'),
    *('_annotation', '_ann', '_groundtruth', '_ground_truth', '_trimap', '-mask', '.mask'),
    *('_mask_color', '_label_color', '_gtFine_color'),
)
"""Endings of label maps that tools and datasets use; the first of several is read."""

NO_LABELS = ('_instanceIds', '_instanceTrainIds', '_polygons', '_color', '_instances', '_depth')
"""Endings of other files that lie beside label maps."""


def find_endings(images: Collection[str], labels: Collection[str]) -> tuple[str, str]:
    """Find the endings of images and of label maps in two folders.

    Args:
        images: Names of the images, without suffix.
        labels: Names of the label maps, without suffix.

    Returns:
        Both endings; ('', '') if names are equal, or have nothing in common.
    """
    if set(images) & set(labels):
        return '', ''
    for image_end in IMAGE_ENDS:
        names = {name.removesuffix(image_end) for name in images if name.endswith(image_end)}
        ends = Counter(end for label in labels if (end := _remainder(label, names)))
        if ends:
            return image_end, min(ends, key=lambda end: (_rank(end), -ends[end]))
    return '', ''


def find_label_end(stems: Collection[str]) -> str | None:
    """Find the ending of label maps in a folder that holds images too; None if there is none."""
    known = set(stems)
    ends: Counter[str] = Counter()
    for end in LABEL_ENDS:
        for stem in stems:
            if stem.casefold().endswith(end.casefold()) and stem[: -len(end)] in known:
                ends[stem[-len(end) :]] += 1
    return min(ends, key=lambda end: (_rank(end), -ends[end])) if ends else None


def _remainder(label: str, names: set[str]) -> str:
    """Return what follows the longest image name that a label map's name starts with."""
    for length in range(len(label) - 1, 0, -1):
        if label[:length] in names and not label[length].isalnum():
            return label[length:]
    return ''


def _rank(end: str) -> int:
    """Rank endings: known ones in their order, then unknown ones, then those of other files."""
    lowered = [known.lower() for known in LABEL_ENDS]
    if end.lower() in lowered:
        return lowered.index(end.lower())
    return len(lowered) + any(end.endswith(other) for other in NO_LABELS)
