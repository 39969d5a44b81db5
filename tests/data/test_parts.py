"""A dataset with one part is divided: by groups, the same for all tools, stable when it grows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effnet_dense.data.normalise import NormalPart
from effnet_dense.data.parts import Division, divide
from effnet_dense.utils.counted import counted


def whole(names: list[str], folder: Path | None = None, classes: int = 1) -> NormalPart:
    """A part with an object in each image, of the classes in turn."""
    images = [dict(id=i, file_name=name, width=8, height=8) for i, name in enumerate(names)]
    annotations = [
        dict(id=i + 1, image_id=i, category_id=i % classes, bbox=[1, 1, 4, 4], area=16, iscrowd=0)
        for i in range(len(names))
    ]
    categories = [dict(id=i, name=f'class {i}') for i in range(classes)]
    data = dict(images=images, annotations=annotations, categories=categories)
    paths = tuple(None if folder is None else folder / name for name in names)
    return NormalPart(data, folder or Path('images'), paths, Path('all.json'))


def names_of(part: NormalPart) -> set[str]:
    return {image['file_name'] for image in part.data['images']}


NAMES = st.lists(st.from_regex(r'[a-e][a-z0-9]{0,4}', fullmatch=True), min_size=2, unique=True)


@given(NAMES, st.floats(0.05, 0.95), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_every_image_and_object_is_in_one_part(names: list[str], share: float, seed: int) -> None:
    parts, remarks = divide({'all': whole(names)}, ('train', 'val'), Division(share, seed))
    train, val = names_of(parts['train']), names_of(parts['val'])
    assert train and val and not train & val and train | val == set(names)
    for part in parts.values():
        ids = {image['id'] for image in part.data['images']}
        assert {entry['image_id'] for entry in part.data['annotations']} == ids
        assert part.ann_file is None
    assert f'{counted(len(train), "image")} to train, {len(val)} to evaluate' in remarks[0]


def test_frames_of_a_video_stay_together_also_when_images_are_added() -> None:
    names = [f'clip{video}_{frame:04d}.jpg' for video in range(20) for frame in range(10)]
    parts, remarks = divide({'all': whole(names)}, ('train', 'val'), Division())
    videos = [{name.split('_')[0] for name in names_of(part)} for part in parts.values()]
    assert not videos[0] & videos[1] and 2 <= len(videos[1]) <= 7
    assert "videos by the beginnings of the names, as 'clip0'" in remarks[0]
    more, _ = divide(
        {'all': whole([*names, 'clip3_0010.jpg', 'new_1.jpg', 'new_2.jpg'])}, ('val',), Division()
    )
    for part in parts:
        assert names_of(parts[part]) <= names_of(more[part])


def test_the_division_does_not_depend_on_what_is_needed() -> None:
    one = {'all': whole([f'{i}.jpg' for i in range(30)])}
    assert divide(one, ('val',), Division()) == divide(one, ('train', 'val'), Division())
    other, _ = divide(one, ('train', 'val'), Division(seed=1))
    assert names_of(other['val']) != names_of(divide(one, ('val',), Division())[0]['val'])


def test_no_class_is_lost_for_training() -> None:
    """Six beginnings that are classes in fact, whatever they are called."""
    names = [f'{kind}_{number:03d}.jpg' for number in range(12) for kind in 'abcdef']
    parts, _ = divide({'all': whole(names, classes=6)}, ('train', 'val'), Division())
    assert {entry['category_id'] for entry in parts['train'].data['annotations']} == set(range(6))


def test_copies_are_in_one_part(tmp_path: Path) -> None:
    names = [f'{i:02d}.jpg' for i in range(0, 60, 3)]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    for name in names[1:8]:
        shutil.copyfile(tmp_path / names[0], tmp_path / name)
    for seed in range(5):
        division = Division(0.4, seed)
        parts, _ = divide({'all': whole(names, tmp_path)}, ('train', 'val'), division)
        assert any(set(names[:8]) <= names_of(part) for part in parts.values())


def test_all_images_may_be_evaluated_but_not_also_trained_on() -> None:
    one = {'all': whole(['a.jpg', 'b.jpg'])}
    parts, remarks = divide(one, ('val',), Division(1))
    assert names_of(parts['val']) == {'a.jpg', 'b.jpg'} and remarks == ['all images are evaluated']
    with pytest.raises(ValueError, match='leaves no image to train on'):
        divide(one, ('train', 'val'), Division(1))


def test_too_few_images_and_wrong_shares() -> None:
    with pytest.raises(ValueError, match=r'all\.json has 1 image: .* need one each'):
        divide({'all': whole(['a.jpg'])}, ('train', 'val'), Division())
    for share in (0, -1, 1.5):
        with pytest.raises(ValueError, match='--val-share expects a share above 0'):
            Division(share)


def test_parts_of_its_own_stay() -> None:
    parts = {'train': whole(['a.jpg']), 'val': whole(['b.jpg'])}
    assert divide(parts, ('train', 'val'), Division()) == (parts, [])
    assert divide(parts, ('train',), Division(0.5))[1] == [
        'it has its own parts: --val-share is not used'
    ]
