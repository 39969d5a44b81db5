"""Group images that must not be in two parts: frames of a video, copies, Roboflow's variants."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_VARIANT = re.compile(r'\.rf\.[0-9a-zA-Z]+(?=\.[^.]*$|$)')
_NUMBERED = re.compile(r'(.*?)(\d{1,18})(\.[A-Za-z0-9]{1,5})?')
_EDGES = ' _-.#('

BLOCK = 10
"""Consecutive numbers of a block; a constant, so that added images do not move others."""

MIN_VIDEOS = 5
"""Fewer groups with the same beginning are no basis for a split."""

MIN_BLOCKS = 10

LARGEST_VIDEO = 0.4
"""Share of the images in the largest video: with more, the parts' sizes would be arbitrary."""

DENSE = 0.9
"""Share of the numbers between the smallest and the largest that are in use, in a sequence."""


@dataclass(frozen=True)
class Grouping:
    """Groups of images that stay together.

    Attributes:
        groups: Name → its group.
        by: How they were formed, as a remark says it.
    """

    groups: Mapping[str, str]
    by: str


def group_names(names: Sequence[str], classes: Sequence[str] = ()) -> list[Grouping]:
    """Group image names, the most cautious way first; the last has each image on its own.

    `clip_000123.jpg` is a frame of `clip` if there are several such videos. Where all names have
    one beginning and nearly consecutive numbers (`img_0001.jpg` …), ten numbers are a block, of
    which frames of one scene stay together. Variants that Roboflow makes of an image
    (`a_jpg.rf.0f3c.jpg`) always stay together.

    Args:
        names: Of the images, each once.
        classes: A beginning that is called like one of them names the content, not a video.
    """
    plain = {name: _VARIANT.sub('', name.replace('\\', '/')) for name in names}
    own = Grouping(plain, 'each image on its own')
    numbered = {name: match for name in names if (match := _NUMBERED.fullmatch(plain[name]))}
    if 2 * len(numbered) < len(names):
        return [own]
    videos = {
        name: numbered[name][1].rstrip(_EDGES) if name in numbered else plain[name]
        for name in names
    }
    found = [own]
    blocks = {
        name: f'{videos[name]}#{int(numbered[name][2]) // BLOCK}' if name in numbered else video
        for name, video in videos.items()
    }
    if len(set(blocks.values())) >= MIN_BLOCKS and _is_dense(numbered):
        found.insert(0, Grouping(blocks, f'blocks of {BLOCK} consecutive numbers'))
    counts, called = Counter(videos.values()), {name.casefold() for name in classes}
    largest = max(counts.values())
    named = {video.replace('\\', '/').rpartition('/')[2].casefold() for video in counts}
    if (
        len(counts) >= MIN_VIDEOS
        and 1 < largest <= LARGEST_VIDEO * len(names)
        and not named & called
    ):
        example = counts.most_common(1)[0][0]
        found.insert(0, Grouping(videos, f'videos by the beginnings of the names, as {example!r}'))
    return found


def _is_dense(numbered: Mapping[str, re.Match[str]]) -> bool:
    """Whether the numbers after most beginnings are nearly consecutive."""
    numbers: dict[str, set[int]] = {}
    for match in numbered.values():
        numbers.setdefault(match[1], set()).add(int(match[2]))
    span = sum(max(found) - min(found) + 1 for found in numbers.values())
    return sum(map(len, numbers.values())) >= DENSE * span


def joined(groups: Mapping[str, str], same: Sequence[Sequence[str]]) -> dict[str, str]:
    """Join groups that have images in common.

    Args:
        groups: Name → its group.
        same: Names of images with the same content.
    """
    leader = {group: group for group in groups.values()}

    def find(group: str) -> str:
        while leader[group] != group:
            leader[group] = leader[leader[group]]
            group = leader[group]
        return group

    for names in same:
        first, *others = sorted({find(groups[name]) for name in names})
        for other in others:
            leader[other] = first
    return {name: find(group) for name, group in groups.items()}
