"""classes.json, and which image belongs to which label map."""

from __future__ import annotations

from pathlib import Path

from effnet_dense.data import LabelSplit
from effnet_dense.data.label_maps.pairs import find_pairs
from tests.helpers.label_folder import label, write_image, write_label


def test_pairs(tmp_path: Path) -> None:
    split = LabelSplit(tmp_path / 'images', tmp_path / 'labels')
    for name in ('b.jpg', 'a.PNG', 'town/a.tif', 'alone.jpg', 'c.d.png', '.hidden.jpg'):
        write_image(split.image_dir / name)
    (split.image_dir / 'b.txt').write_text('no image', encoding='utf-8')
    for name in ('a.png', 'b.png', 'town/a.png', 'c.d.png', 'lonely.png', '.hidden.png'):
        write_label(split.label_dir / name, label(0, 1))
    pairs = [
        (str(p.image.relative_to(split.image_dir)), str(p.label.relative_to(split.label_dir)))
        for p in find_pairs(split)
    ]
    assert pairs == [
        ('a.PNG', 'a.png'),
        ('b.jpg', 'b.png'),
        ('c.d.png', 'c.d.png'),
        ('town/a.tif', 'town/a.png'),
    ]
