"""Find files that come with the package but lie outside of it: configs, tools, the model index.

A wheel has them inside the package, where `mim` looks; a checkout has them next to it.
"""

from __future__ import annotations

import difflib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
PLACES = (PACKAGE / '.mim', PACKAGE.parent)
CONFIGS = 'configs'


def shipped(part: str) -> Path:
    """Return the path of 'configs', 'tools' or 'model-index.yml'.

    Raises:
        FileNotFoundError: The installation lacks it.
    """
    for place in PLACES:
        if (place / part).exists():
            return place / part
    raise FileNotFoundError(f'this installation has no {part}: expected it in {PLACES[0]}')


def shipped_configs() -> dict[str, Path]:
    """Return the configs by name, without '.py'; base files are left out.

    Returns:
        {} if the installation lacks them.
    """
    for place in PLACES:
        found = {path.stem: path for path in sorted((place / CONFIGS).glob('*.py'))}
        if found:
            return found
    return {}


def shipped_config(name: str) -> Path:
    """Return a shipped config by its path within configs/, with or without '.py'.

    Raises:
        FileNotFoundError: There is none; the message lists similar ones.
    """
    folder = shipped(CONFIGS)
    path = folder / f'{name.removesuffix(".py")}.py'
    if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
        return path
    names = [each.relative_to(folder).with_suffix('').as_posix() for each in folder.rglob('*.py')]
    near = difflib.get_close_matches(path.stem, names, n=3, cutoff=0.4) or shipped_configs()
    raise FileNotFoundError(f'no config {name!r} comes with the package; it has {", ".join(near)}')
