"""Groups of images that stay together: videos, blocks of numbers, variants, copies."""

from __future__ import annotations

import pytest

from effnet_dense.data.grouping import group_names, joined

VIDEOS = [f'{place}_{frame:06d}.jpg' for place in 'abcdefgh' for frame in range(0, 300, 30)]
SEQUENCE = [f'img_{number:04d}.jpg' for number in range(1, 501)]
COCO = [f'{number * 7919:012d}.jpg' for number in range(1, 200)]


def first(names: list[str], classes: tuple[str, ...] = ()) -> set[str]:
    return set(group_names(names, classes)[0].groups.values())


def test_videos() -> None:
    assert first(VIDEOS) == set('abcdefgh')
    assert group_names(VIDEOS)[0].by == "videos by the beginnings of the names, as 'a'"
    assert first([f'{name[0]}/{name[2:]}' for name in VIDEOS]) == {f'{v}/' for v in 'abcdefgh'}


def test_one_sequence_is_not_one_group() -> None:
    groups = first(SEQUENCE)
    assert len(groups) == 51
    assert group_names(SEQUENCE)[0].groups['img_0010.jpg'] == 'img#1'


@pytest.mark.parametrize('names', [COCO, SEQUENCE[:8], ['cat.jpg', 'dog.jpg', 'x1.jpg']])
def test_images_on_their_own(names: list[str]) -> None:
    assert first(names) == set(names)
    assert len(group_names(names)) == 1


def test_names_of_classes_are_no_videos() -> None:
    assert 'a' not in first(VIDEOS, classes=('A', 'x'))


def test_variants_of_an_image() -> None:
    names = ['a_jpg.rf.0f3c.jpg', 'a_jpg.rf.99aa.jpg', 'b_jpg.rf.0f3c.jpg']
    assert first(names) == {'a_jpg.jpg', 'b_jpg.jpg'}


def test_groups_with_a_common_copy_are_joined() -> None:
    groups = joined({'a1': 'a', 'a2': 'a', 'b1': 'b', 'c1': 'c'}, [['a2', 'b1']])
    assert groups == {'a1': 'a', 'a2': 'a', 'b1': 'a', 'c1': 'c'}
