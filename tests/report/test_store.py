"""Data survive the way to the disk and back; damaged data are errors."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from effnet_dense.report import store
from effnet_dense.report.segmentation import Segments
from effnet_dense.utils.outputs import MARK, claim


def test_arrays(tmp_path: Path) -> None:
    path = tmp_path / 'a.npz'
    assert store.load_arrays(path, Segments) is None
    matrix = np.array([[1, 2], [3, 4]])
    store.save_arrays(path, Segments(np.array(['ä.png']), np.array([np.nan]), matrix))
    found = store.load_arrays(path, Segments)
    assert found is not None
    assert found.paths.tolist() == ['ä.png'] and np.isnan(found.scores).all()
    assert found.matrix.tolist() == matrix.tolist()
    np.savez(path, paths=[])
    with pytest.raises(ValueError, match=r'a\.npz does not hold the arrays of Segments'):
        store.load_arrays(path, Segments)


@pytest.mark.parametrize('content', [b'', b'PK', bytes(range(256))])
def test_damaged_arrays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / 'a.npz'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r'a\.npz does not hold the arrays of Segments'):
        store.load_arrays(path, Segments)


def test_arrays_run_no_code(tmp_path: Path) -> None:
    path = tmp_path / 'a.npz'
    np.savez(path, paths=np.array([{}], dtype=object), scores=[], matrix=[])
    with pytest.raises(ValueError, match='allow_pickle'):
        store.load_arrays(path, Segments)


def test_json(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    assert store.load_json(path) is None
    store.save_json(path, {'ä': [1, None]})
    assert store.load_json(path) == {'ä': [1, None]}
    path.write_text('[', encoding='utf-8')
    with pytest.raises(ValueError, match=r'a\.json is not JSON'):
        store.load_json(path)


def test_label_maps_keep_their_values(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    assert store.load_map(path) is None
    values = np.array([[0, 300], [7, 65535]], np.uint16)
    cv2.imwrite(str(path), values)
    found = store.load_map(path)
    assert found is not None and found.tolist() == values.tolist()


def test_a_new_evaluation_starts_empty(tmp_path: Path) -> None:
    folder = store.report_folder(tmp_path)
    store.save_json(store.start_data(folder) / 'old.json', {})
    claim(folder / 'old.png').write_bytes(b'')
    (folder / 'mine.png').write_bytes(b'')
    found = [path.name for path in store.start_data(folder).parent.rglob('*')]
    assert sorted(found) == [MARK, 'data', 'mine.png']


def test_a_file_in_the_way(tmp_path: Path) -> None:
    folder = store.report_folder(tmp_path)
    store.check_report(folder)
    (folder / 'images').mkdir(parents=True)
    (folder / 'images' / 'best_of.jpg').write_bytes(b'')
    store.check_report(folder)
    (folder / 'images' / 'best_3.jpg').write_bytes(b'')
    with pytest.raises(FileExistsError, match=r'best_3\.jpg'):
        store.start_data(folder)
