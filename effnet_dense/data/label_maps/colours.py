"""Colours of label maps: written in many ways, compared as numbers 0xRRGGBB."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

TRANSPARENT = 1 << 24
"""Code of pixels without any opacity, whatever colour is stored in them."""

TRANSLUCENT = 1 << 25
"""Added to the colour's code where a pixel is neither opaque nor transparent."""

UNKNOWN = -1
"""Label of colours and values that no class has."""

_HEX = re.compile(r'(?:#|0x)([0-9a-f]{6}|[0-9a-f]{3})\Z', re.IGNORECASE)
_NUMBERS = re.compile(r'(?:rgba?)?\s*[(\[]?\s*([\d.]+(?:[\s,;]+[\d.]+){2,3})\s*[)\]]?\Z', re.I)


def parse_colour(value: Any) -> int | None:
    """Read a colour; None if the value is not one.

    Args:
        value: '#ff0000', '#f00', '[255, 0, 0]', '255,0,0', 'rgb(255, 0, 0)', an 'rgba(…)' whose
            opacity does not matter, [255, 0, 0], or 'transparent'.

    Returns:
        0xRRGGBB, or `TRANSPARENT`.
    """
    if isinstance(value, list | tuple):
        return _from_numbers(list(value[:3])) if len(value) in (3, 4) else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.lower() == 'transparent':
        return TRANSPARENT
    if match := _HEX.match(text):
        digits = match[1] if len(match[1]) == 6 else ''.join(2 * digit for digit in match[1])
        return int(digits, 16)
    match = _NUMBERS.match(text)
    return _from_numbers(re.split(r'[\s,;]+', match[1])[:3]) if match else None


def _from_numbers(numbers: list[Any]) -> int | None:
    try:
        channels = [float(number) for number in numbers]
    except (TypeError, ValueError):
        return None
    if any(isinstance(number, bool) for number in numbers):
        return None
    if not all(channel in range(256) for channel in channels):
        return None
    red, green, blue = map(int, channels)
    return red << 16 | green << 8 | blue


def colour_name(code: int) -> str:
    """Write a colour as '#rrggbb', which `parse_colour` reads."""
    if code == TRANSPARENT:
        return 'transparent'
    translucent = ' (translucent)' if code & TRANSLUCENT else ''
    return f'#{code & 0xFFFFFF:06x}{translucent}'


def channels_of(code: int) -> tuple[int, int, int]:
    """Return red, green and blue."""
    return code >> 16 & 255, code >> 8 & 255, code & 255


def nearest_colour(code: int, known: Collection[int]) -> int:
    """Find the known colour with the smallest distance in RGB."""
    own = channels_of(code)
    return min(
        known, key=lambda k: sum((a - b) ** 2 for a, b in zip(own, channels_of(k), strict=True))
    )


def colour_codes(pixels: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Number the colours (H, W, 3 or 4) of an RGB or RGBA image: codes (H, W)."""
    wide = pixels.astype(np.uint32)
    codes: NDArray[np.uint32] = wide[..., 0] * (1 << 16) + wide[..., 1] * (1 << 8) + wide[..., 2]
    if pixels.shape[2] == 4:
        opacity = pixels[..., 3]
        if not (opacity == 255).all():
            codes[opacity < 255] += TRANSLUCENT
            codes[opacity == 0] = TRANSPARENT
    return codes


MANY = 256
"""More colours are looked up by bisection: the divisor below would take minutes to find."""


class ColourTable:
    """Looks colours up in a small table at a colour's remainder, without a loop over classes.

    The divisor is the smallest that gives each colour its own remainder.

    Args:
        colours: Code → label.
    """

    def __init__(self, colours: Mapping[int, int]) -> None:
        codes = np.array(list(colours), dtype=np.uint32)
        if len(codes) > MANY:
            order = np.argsort(codes)
            self._divisor: np.uint32 | None = None
            self._codes = codes[order]
            self._labels = np.array(list(colours.values()), dtype=np.int16)[order]
            return
        divisor = max(1, len(codes))
        while len(np.unique(codes % divisor)) < len(codes):
            divisor += 1
        self._divisor = np.uint32(divisor)
        self._codes = np.full(divisor, 0xFFFFFFFF, dtype=np.uint32)
        self._labels = np.full(divisor, UNKNOWN, dtype=np.int16)
        self._codes[codes % divisor] = codes
        self._labels[codes % divisor] = list(colours.values())

    def __call__(self, codes: NDArray[np.uint32]) -> NDArray[np.int16]:
        """Map codes (H, W) to labels (H, W); `UNKNOWN` for other colours."""
        if self._divisor is None:
            at = np.searchsorted(self._codes, codes).clip(max=len(self._codes) - 1)
        else:
            at = codes % self._divisor
        return np.where(self._codes[at] == codes, self._labels[at], np.int16(UNKNOWN))
