"""Report what settings changed, and why one cannot be applied."""

from __future__ import annotations

from mmengine.logging import print_log

UNCHANGED = 'as in the config'


def note(text: str) -> None:
    """Log one sentence on what a setting changed."""
    print_log(text)


def refusal(flag: str, reason: str, instead: str) -> ValueError:
    """Return the error of a setting that a config cannot take.

    Args:
        flag: As it is written on the command line, with its value.
        reason: What in the config is against it.
        instead: What to write.
    """
    return ValueError(f'{flag}: {reason}; {instead}')
