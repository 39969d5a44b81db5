"""Validation images that are also trained on are found by their content."""

from __future__ import annotations

from pathlib import Path

from effnet_dense.data.same_images import repeated_images


def write(folder: Path, **files: bytes) -> list[Path]:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def test_by_content_whatever_the_name(tmp_path: Path) -> None:
    long = bytes(65536) + b'x'
    train = write(tmp_path / 'train', a=b'one', b=b'two', c=long)
    val = write(tmp_path / 'val', a=b'own', d=b'two', e=bytes(65536) + b'y', f=long)
    (finding,) = repeated_images({'train': train, 'val': val})
    assert finding.severity == 'warning' and finding.count == 2
    assert finding.examples == (f'd is {train[1]}', f'f is {train[2]}')


def test_a_link_to_the_same_folder(tmp_path: Path) -> None:
    train = write(tmp_path / 'train', a=b'one', b=b'two')
    (tmp_path / 'val').symlink_to(tmp_path / 'train')
    val = [tmp_path / 'val' / path.name for path in train]
    (finding,) = repeated_images({'train': train, 'val': val})
    assert finding.count == 2 and finding.examples == ('a', 'b')


def test_one_part_and_files_that_cannot_be_read(tmp_path: Path) -> None:
    train = write(tmp_path / 'train', a=b'one')
    assert repeated_images({'train': train}) == []
    assert (
        repeated_images({'train': [*train, tmp_path], 'val': [tmp_path / 'gone', tmp_path]}) == []
    )
