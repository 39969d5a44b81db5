"""Format JSON for people: letters as they are, in UTF-8 whatever the strings hold."""

from __future__ import annotations

import json
from typing import Any


def json_text(content: Any, indent: int | None = None) -> str:
    """Format JSON; of strings with bytes that are not UTF-8, as file names have, all in ASCII."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, indent=indent)
    return text
