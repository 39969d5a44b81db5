"""Images that cannot be read are replaced and noted."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset
from PIL import UnidentifiedImageError

from effnet_dense.data.bad_images import read_notes, replace_bad_images
from effnet_dense.data.transforms import BadImageError


class Numbers(BaseDataset):
    """Samples 0–5; some cannot be read."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        super().__init__(pipeline=[])

    def load_data_list(self) -> list[dict[str, int]]:
        return [dict(number=number) for number in range(6)]

    def prepare_data(self, idx: int) -> int:
        if idx in self.bad:
            raise BadImageError(f'{idx}.png', 'half')
        return idx


def test_the_next_one_takes_the_place(tmp_path: Path) -> None:
    dataset = Numbers({1, 2, 5})
    replace_bad_images(dataset, tmp_path / 'notes')
    for _ in range(2):
        assert [dataset[i] for i in range(6)] == [0, 3, 3, 3, 4, 0]
    expected = {f'{i}.png': f'cannot decode image {i}.png: half' for i in (1, 2, 5)}
    assert read_notes(tmp_path / 'notes') == expected
    assert len((tmp_path / 'notes').read_text(encoding='utf-8').splitlines()) == 3, (
        'each is noted once'
    )


@pytest.mark.parametrize('kind', [cv2.error, UnidentifiedImageError, SyntaxError])
def test_errors_of_libraries_name_the_image(
    kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = Numbers(set())
    prepare = dataset.prepare_data

    def narrow(index: int) -> int:
        if index == 1:
            raise kind('inv_scale_x > 0')
        return prepare(index)

    monkeypatch.setattr(dataset, 'prepare_data', narrow)
    monkeypatch.setattr(
        dataset,
        'get_data_info',
        lambda index: {'img_path': f'{index}.png', 'seg_map_path': 'x.png'},
    )
    replace_bad_images(dataset, tmp_path / 'notes')
    assert [dataset[i] for i in range(3)] == [0, 2, 2]
    note = read_notes(tmp_path / 'notes')['1.png']
    assert 'inv_scale_x' in note and 'x.png' in note


def test_inside_of_wrappers(tmp_path: Path) -> None:
    dataset = ConcatDataset([Numbers({0}), Numbers({5})])
    replace_bad_images(dataset, tmp_path / 'notes')
    assert [dataset[i] for i in (0, 11)] == [1, 0]
    assert list(read_notes(tmp_path / 'notes')) == ['0.png', '5.png']


def test_none_at_all_is_an_error(tmp_path: Path) -> None:
    dataset = Numbers(set(range(6)))
    replace_bad_images(dataset, tmp_path / 'notes')
    with pytest.raises(BadImageError, match=r'2\.png'):
        dataset[3]


def test_nothing_noted(tmp_path: Path) -> None:
    assert read_notes(tmp_path / 'notes') == {}
