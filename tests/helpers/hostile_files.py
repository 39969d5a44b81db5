"""A folder of files called like images and videos, most of which are none."""

from __future__ import annotations

import os
import socket
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

NOISE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
PNG = cv2.imencode('.png', NOISE)[1].tobytes()
JPEG = cv2.imencode('.jpg', NOISE)[1].tobytes()

LONG = 'n' * 251
"""With a suffix of four letters, the longest name of a file."""


def write_good(folder: Path) -> list[str]:
    """Write images that can be predicted on, under difficult names; return the names as text."""
    for name in ('a.png', f'{LONG}.png', f'{LONG}.jpg', 'é' * 125 + '.jpg', 'caf%E9.png'):
        (folder / name).write_bytes(PNG if name.endswith('.png') else JPEG)
    (folder / os.fsdecode(b'caf\xe9.png')).write_bytes(PNG)
    (folder / os.fsdecode(b'\xe9' * 251 + b'.jpg')).write_bytes(JPEG)
    (folder / 'line\nbreak\x1b[31m.png').write_bytes(PNG)
    cv2.imwrite(str(folder / 'grey.pgm'), NOISE[..., 0])
    cv2.imwrite(str(folder / 'bits.pbm'), NOISE[..., 0])
    return sorted(os.listdir(folder))


def write_bad(folder: Path) -> list[str]:
    """Write what cannot be predicted on; return the names."""
    before = set(os.listdir(folder))
    cv2.imwrite(str(folder / 'thin.png'), np.zeros((2, 3000, 3), np.uint8))
    cv2.imwrite(str(folder / 'tall.png'), np.zeros((3000, 2, 3), np.uint8))
    (folder / 'header.pgm').write_bytes(b'P5\n')
    (folder / 'huge.pgm').write_bytes(b'P5\n99999999999 9999999999\n255\n')
    (folder / 'zero.jpg').write_bytes(b'')
    (folder / 'zero.mp4').write_bytes(b'')
    (folder / 'cut.png').write_bytes(PNG[: len(PNG) // 2])
    (folder / 'cut.jpg').write_bytes(JPEG[: len(JPEG) // 2])
    (folder / 'bomb.png').write_bytes(bomb())
    (folder / 'folder.jpg').mkdir()
    for kind in ('jpg', 'mp4'):
        os.mkfifo(folder / f'pipe.{kind}')
        (folder / f'dangling.{kind}').symlink_to('nowhere')
        (folder / f'endless.{kind}').symlink_to('/dev/zero')
    (folder / 'loop.png').symlink_to('loop.png')
    (folder / 'again').symlink_to('.')  # whose files must not be found twice
    _bind(folder / 'socket.png')
    return sorted(set(os.listdir(folder)) - before - {'again'})


def write_video(path: Path, frames: int = 3) -> None:
    """Write a video under any name."""
    plain = path.with_name('plain.mp4')
    writer = cv2.VideoWriter(str(plain), cv2.VideoWriter.fourcc(*'mp4v'), 5, (64, 48))
    for shift in range(frames):
        writer.write(np.roll(NOISE, shift, 1))
    writer.release()
    plain.rename(path)


def bomb(side: int = 30000) -> bytes:
    """A PNG file of a few megabytes for gigabytes of black pixels."""
    row = bytes(1 + 3 * side)
    deflate = zlib.compressobj(9)
    rows = [deflate.compress(row * 10) for _ in range(20)]
    # The rest of the rows is missing: reading the header must be enough.
    header = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
    parts = [(b'IHDR', header), (b'IDAT', b''.join([*rows, deflate.flush()])), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(_chunk(*part) for part in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack('>I', zlib.crc32(kind + data))
    return struct.pack('>I', len(data)) + kind + data + check


def _bind(path: Path) -> None:
    """Make a socket; its address is short, whatever the folder."""
    here = os.open('.', os.O_RDONLY)
    try:
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)
