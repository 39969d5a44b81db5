"""ZIP files are read like folders, and cannot write anywhere else."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from effnet_dense.data.formats import archive
from effnet_dense.data.formats.archive import extract
from effnet_dense.data.formats.detect import find_dataset
from tests.helpers.exports import EXPORTS, sample
from tests.helpers.found import expect_equal


def zipped(folder: Path, path: Path, prefix: str = '') -> Path:
    with zipfile.ZipFile(path, 'w') as file:
        for source in sorted(folder.rglob('*')):
            file.write(source, prefix + source.relative_to(folder).as_posix())
    return path


def written(path: Path, **entries: bytes) -> Path:
    """Write an archive of entries whose names are as given."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize('prefix', ['', 'fruit/', 'fruit\\'])
@pytest.mark.parametrize('name', ['CVAT XML', 'Roboflow YOLO'])
def test_an_archive_is_a_dataset(name: str, prefix: str, tmp_path: Path) -> None:
    parts, export = sample(tmp_path / 'source'), EXPORTS[name]
    root = export.write(tmp_path / 'set', parts, False)
    path = zipped(root, tmp_path / 'set.zip', prefix)
    found = find_dataset(path, tmp_path / 'unpacked')
    assert found.root.is_relative_to(tmp_path / 'unpacked')
    expect_equal(found, parts, False, export.rounding)


def test_an_unchanged_archive_is_extracted_once(tmp_path: Path) -> None:
    path = written(tmp_path / 'a.zip', a=b'1')
    first = extract(path, tmp_path / 'to')
    (first / 'own').touch()
    assert extract(path, tmp_path / 'to') == first
    assert (first / 'own').exists()
    written(path, a=b'22')
    second = extract(path, tmp_path / 'to')
    assert second != first
    assert (second / 'a').read_bytes() == b'22'


@pytest.mark.parametrize(
    'name', ['../a', '/a', 'b/../../a', '..\\a', 'C:\\a', 'c:a', '\\\\server\\a', 'b/..']
)
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    path = written(tmp_path / 'a.zip', good=b'1', **{name: b'2'})
    with pytest.raises(ValueError, match='has a name that leads out of its folder'):
        extract(path, tmp_path / 'to')
    assert sorted(child.name for child in tmp_path.rglob('*')) in (['a.zip'], ['a.zip', 'to'])


@pytest.mark.parametrize('kind', [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(kind: int, tmp_path: Path) -> None:
    info = zipfile.ZipInfo('link')
    info.external_attr = (kind | 0o644) << 16
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as file:
        file.writestr(info, '/etc/passwd')
    with pytest.raises(ValueError, match="has a link or a device: 'link'"):
        extract(tmp_path / 'a.zip', tmp_path / 'to')


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, 'SMALL', 1000)
    path = written(tmp_path / 'a.zip', a=bytes(10**6))
    with pytest.raises(ValueError, match='is a decompression bomb'):
        extract(path, tmp_path / 'to')
    monkeypatch.setattr(archive, 'MAX_BYTES', 999)
    with pytest.raises(ValueError, match='holds 1 file of 1000000 bytes, too many'):
        extract(path, tmp_path / 'to')
    assert not list((tmp_path / 'to').rglob('a'))


@pytest.mark.parametrize('damage', ['cut', 'flipped', 'text', 'encrypted', 'twice', 'file above'])
def test_damaged_archives_leave_nothing(damage: str, tmp_path: Path) -> None:
    path = written(tmp_path / 'a.zip', a=os.urandom(1000), b=b'1')
    content = bytearray(path.read_bytes())
    if damage == 'cut':
        content = content[: len(content) // 2]
    elif damage == 'flipped':
        content[500] ^= 1
    elif damage == 'text':
        content = bytearray(b'PK\3\4 no archive')
    elif damage == 'encrypted':
        content[content.index(b'PK\1\2') + 8] |= 1
    path.write_bytes(content)
    if damage == 'file above':
        written(path, **{'a': b'1', 'a/b': b'2'})
    if damage == 'twice':
        with pytest.warns(UserWarning), zipfile.ZipFile(path, 'a') as file:
            file.writestr('a', b'3')
        assert (extract(path, tmp_path / 'to') / 'a').read_bytes() == b'3'
        return
    with pytest.raises(ValueError, match=r'a\.zip (cannot be extracted|is encrypted)'):
        extract(path, tmp_path / 'to')
    assert not list((tmp_path / 'to').glob('*'))
