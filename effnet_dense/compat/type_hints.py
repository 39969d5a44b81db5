"""Where a config's type is not found, name this package's type of that name.

mmengine's error says which registry lacks the name (`registry/build_functions.py`); mmdet's and
mmseg's registries lack the scope that this package's types need.
"""

from __future__ import annotations

import importlib
import re
from types import ModuleType
from typing import Any

from effnet_dense.compat.after_import import after_import

PACKAGE = __name__.partition('.')[0]
MISSING = re.compile(r'([\w.]+) is not in the ([\w-]+::[\w -]+?) registry\.')
# Names of other packages → this package's type, and what else to write.
OTHERS = {
    'EfficientNetV2': ('EfficientNet', "with arch='v2_s', 'v2_m', 'v2_l', 'v2_xl' or 'v2_b0' …"),
    'EfficientDetSepBNHead': ('EfficientDetHead', ''),
    'YXYXAnchorGenerator': ('EfficientDetAnchorGenerator', 'and boxes stay x1, y1, x2, y2'),
    'TransMaxIoUAssigner': ('ArgMaxAssigner', ''),
}


def serve_type_hints() -> None:
    """Change mmengine's registries as soon as they are imported."""
    after_import('mmengine.registry.registry', hint_at_types)


def hint_at_types(module: ModuleType) -> None:
    """Make `Registry.build` name this package's type in its error.

    Args:
        module: `mmengine.registry.registry`.
    """
    original = module.Registry.build

    def build(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        except KeyError as error:
            text = hinted(str(error.args[0]) if error.args else '', self)
            if text is None:
                raise
            raise KeyError(text) from error

    module.Registry.build = build


def hinted(message: str, registry: Any) -> str | None:
    """Insert this package's type into an error's message; None if it has none of that name.

    Args:
        message: mmengine's.
        registry: Where the name was looked for.
    """
    found = MISSING.search(message)
    if found is None or f'{PACKAGE}.' in message:
        return None
    importlib.import_module(f'{PACKAGE}.registry')
    ours = registry.root.children.get(PACKAGE)
    if ours is None:
        return None
    ours.import_from_location()
    name, more = OTHERS.get(found[1].rpartition('.')[2], (found[1].rpartition('.')[2], ''))
    names = {known.lower(): known for known in ours.module_dict}
    own = names.get(name.lower())
    if own is None:
        return None
    hint = f"; this package's is type='{PACKAGE}.{own}'" + (f' {more}' if more else '')
    at = found.end() - 1  # before the full stop
    return f'{message[:at]}{hint}{message[at:]}'
