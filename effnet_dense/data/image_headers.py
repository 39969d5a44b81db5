"""Read from a file's first bytes how deep its values are, and which bands it has.

Only what decoders drop in silence is of interest: more than 8 bits, and transparency or further
bands beside the colours. Anything else, or a damaged header, has the default `Header()`.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

ALPHA = 'its alpha channel is dropped'
COLOUR_KEY = 'its transparency is dropped'
FOURTH = 'its fourth band (alpha or near infrared) is dropped'

PNG_START = b'\x89PNG\r\n\x1a\n'
PNG_ALPHA = (4, 6)
TIFF_STARTS = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
TIFF_NUMBERS = {1: 'B', 3: 'H', 4: 'I', 13: 'I', 16: 'Q'}
"""TIFF's types of unsigned integers → struct's codes."""

BITS, PHOTOMETRIC, SAMPLES, FORMAT = 258, 262, 277, 339
COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}
"""TIFF's photometric interpretation → bands that are colours."""

CIELAB = 8
SIGNED, FLOATING = 2, 3
JP2_SIZE = b'\xff\x4f\xff\x51'
AVIF_ALPHA = b'auxiliary:alpha'
AVIF_HEAD = 4096


@dataclass(frozen=True)
class Header:
    """What a file says of its values.

    Attributes:
        bits: Bits of a value, for integers and floating point.
        largest: The value that stands for white, if the file states another than its type's.
        bands: Which bands a decoder to three colours drops, in words; '' if none.
        count: Number of bands, 0 if unknown.
        format: Pillow's name of a format whose orientation not every OpenCV applies; '' for others.
        cielab: Whether colours are those of CIELab, which OpenCV takes for others.
    """

    bits: int = 8
    largest: int | None = None
    bands: str = ''
    count: int = 0
    format: str = ''
    cielab: bool = False

    @property
    def deep(self) -> bool:
        """Whether values have more than 8 bits."""
        return self.bits > 8


def read_header(content: bytes) -> Header:
    """Read the header of PNG, TIFF, PNM, PFM, JPEG 2000, WebP, AVIF and BMP files."""
    try:
        if content.startswith(PNG_START):
            return _png(content)
        if content.startswith(TIFF_STARTS):
            return _tiff(content)
        if content[:1] == b'P' and content[1:2] in b'23567Ff':
            return _netpbm(content)
        if content.startswith(b'RIFF') and content[8:12] == b'WEBP':
            return Header(bands=ALPHA if _webp_has_alpha(content) else '', format='WEBP')
        if content[4:8] == b'ftyp' and b'avi' in content[8 : content[3]]:  # avif, avis
            return Header(bands=ALPHA if AVIF_ALPHA in content[:AVIF_HEAD] else '', format='AVIF')
        if content.startswith((JP2_SIZE[:4], b'\0\0\0\x0cjP')):
            return _jpeg_2000(content)
        if content.startswith(b'BM'):
            return Header(bands=ALPHA if _bmp_has_alpha(content) else '')
    except (struct.error, IndexError, ValueError):
        pass  # damaged: the decoder says so
    return Header()


def dropped_bands(colours: int, count: int) -> str:
    """Describe what is dropped if only the first `colours` of `count` bands are used."""
    if count <= colours:
        return ''
    if (colours, count) == (1, 2):
        return ALPHA
    if (colours, count) == (3, 4):
        return FOURTH
    return f'its bands after the first {colours} are dropped, of {count}'


def _png(content: bytes) -> Header:
    """Read IHDR, and look for tRNS before the data (PNG specification, 11.2 and 11.3)."""
    bits, colour_type = content[24], content[25]
    bands = ALPHA if colour_type in PNG_ALPHA else ''
    at = len(PNG_START)
    while not bands and at + 8 <= len(content):
        length, kind = struct.unpack_from('>I4s', content, at)
        if kind == b'tRNS':
            bands = COLOUR_KEY
        if kind == b'IDAT':
            break
        at += length + 12
    return Header(bits, bands=bands, format='PNG')


def _tiff(content: bytes) -> Header:
    """Read the first directory (TIFF 6.0, section 2; BigTIFF has 64-bit offsets)."""
    tags = tiff_tags(content)
    bits, samples = tags.get(BITS, 1), tags.get(SAMPLES, 1)
    colours = min(COLOURS.get(tags.get(PHOTOMETRIC, 1), samples), samples)
    bits = max(bits, 16) if tags.get(FORMAT) == FLOATING else bits
    cielab = tags.get(PHOTOMETRIC) == CIELAB
    return Header(bits, None, dropped_bands(colours, samples), samples, 'TIFF', cielab)


def tiff_tags(content: bytes) -> dict[int, int]:
    """Read the integer tags of a TIFF file's first directory; of lists, the first number."""
    order = '<' if content.startswith(b'I') else '>'
    big = content[2:4] in (b'+\0', b'\0+')
    (at,) = struct.unpack_from(order + ('Q' if big else 'I'), content, 8 if big else 4)
    (count,) = struct.unpack_from(order + ('Q' if big else 'H'), content, at)
    at, step, place = (at + 8, 20, 12) if big else (at + 2, 12, 8)
    tags = {}
    for entry in range(at, at + step * min(count, 1000), step):
        tag, kind = struct.unpack_from(order + 'HH', content, entry)
        (length,) = struct.unpack_from(order + ('Q' if big else 'I'), content, entry + 4)
        code = TIFF_NUMBERS.get(kind)
        if code is None:
            continue
        where = entry + place
        if length * struct.calcsize(order + code) > step - place:
            (where,) = struct.unpack_from(order + ('Q' if big else 'I'), content, where)
        (tags[tag],) = struct.unpack_from(order + code, content, where)
    return tags


def _netpbm(content: bytes) -> Header:
    """Read the largest value: the third number of a PNM file, a field of a PAM file."""
    if content[1:2] in b'Ff':
        return Header(32)
    head = re.sub(rb'#[^\n\r]*', b' ', content[:1024])
    if content[1:2] == b'7':
        fields = {name: int(n) for name, n in re.findall(rb'(DEPTH|MAXVAL)\s+(\d+)', head)}
        largest, count = fields[b'MAXVAL'], fields[b'DEPTH']
    else:
        largest, count = int(head[2:].split(None, 3)[2]), 0
    bands = dropped_bands(1 if count < 3 else 3, count)
    bits = 16 if largest > 255 else 8
    return Header(bits, None if largest == 2**bits - 1 else largest, bands, count)


def _jpeg_2000(content: bytes) -> Header:
    """Read the size marker: number of components, bits of the first (ITU-T T.800, A.5.1)."""
    at = content.find(JP2_SIZE)
    if at < 0:
        return Header()
    count, bits = struct.unpack_from('>HB', content, at + 40)
    bits = (bits & 0x7F) + 1
    bands = dropped_bands(1 if count < 3 else 3, count)
    return Header(bits, 2**bits - 1 if 8 < bits < 16 else None, bands, count)


def _webp_has_alpha(content: bytes) -> bool:
    """Read the flag of the extended or of the lossless format (WebP container specification)."""
    if content[12:16] == b'VP8X':
        return bool(content[20] & 0x10)
    return content[12:16] == b'VP8L' and bool(content[24] & 0x10)


def _bmp_has_alpha(content: bytes) -> bool:
    """Whether the header, version 3 or later, has a mask of alpha."""
    (size,) = struct.unpack_from('<I', content, 14)
    return size >= 56 and struct.unpack_from('<I', content, 66)[0] != 0
