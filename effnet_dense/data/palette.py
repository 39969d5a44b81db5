"""Colours for the classes of datasets without a palette."""

from __future__ import annotations

import colorsys


def palette(num_classes: int) -> list[tuple[int, int, int]]:
    """Choose well-separated RGB colours (0–255), one for each class.

    Steps of the golden ratio around the circle of hues separate any number of colours.
    """
    colours = []
    for i in range(num_classes):
        red, green, blue = colorsys.hsv_to_rgb(i * 0.618034 % 1, 1 - i % 3 * 0.2, 1 - i % 2 * 0.25)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours
