"""What the modules have that make files of one format each.

Shapes: N images of H × W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from effnet_dense.runtimes.metadata import Metadata


class Parts(Protocol):
    """A traced model, of which only the first part is ever quantised.

    Attributes:
        network: The first part, in the format's own type.
        tail: What follows it; None if there is nothing more.
        outputs: Names of the outputs.
        details: Further fields of the metadata.
    """

    @property
    def network(self) -> Any: ...

    @property
    def tail(self) -> Any: ...

    @property
    def outputs(self) -> Sequence[str]: ...

    @property
    def details(self) -> dict[str, Any]: ...

    def joined(self) -> Any:
        """Return one model of both parts."""


class Images(Protocol):
    """Images (1, C, H, W), which may be iterated several times."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[NDArray[np.float32]]: ...


class Quantiser(Protocol):
    """Quantises one network in one format."""

    def layers(self) -> Sequence[str]:
        """Return the layers' names, the one that changes the outputs most first."""

    def quantised(self, kept: Collection[str]) -> Any:
        """Return the network in int8, but for the layers that are kept."""

    def joined(self, network: Any, tail: Any) -> Any:
        """Return a complete model of a network and what follows it."""


class Maker(Protocol):
    """What the module of a format has.

    Attributes:
        POSTS: Task → where its files may end, the default first; tasks without an entry are
            refused.
        ANY_BATCH: Whether a file can take any number of images; else it takes one by default.
    """

    @property
    def POSTS(self) -> dict[str, tuple[str, ...]]: ...

    @property
    def ANY_BATCH(self) -> bool: ...

    def check(self, path: Path, precision: str) -> None:
        """Check a file's name, and that all that makes it is installed.

        Raises:
            ImportError: Something is not installed.
            ValueError: A file of this format cannot have the name.
        """

    def trace(self, model: Any, task: str, images: Any, post: str, any_batch: bool) -> Parts:
        """Trace a model in float32.

        Args:
            model: A detector or segmentor.
            task: Its task.
            images: Examples, (N, C, H, W).
            post: One of `POSTS`.
            any_batch: Whether the result takes any number of images.

        Raises:
            ValueError: It cannot be exported.
        """

    def stored(self, parts: Any, precision: str) -> Any:
        """Return a model's parts with the network's weights in 'fp16' or 'int8-weights'."""

    def runner(self, network: Any) -> Callable[[Any], Sequence[NDArray[Any]]] | None:
        """Return a function that computes a network's outputs of images (N, C, H, W).

        None: nothing on this system can.
        """

    def quantiser(self, parts: Any, images: Images) -> Quantiser:
        """Return the quantiser of a model's network, with images that give the ranges."""

    def save(self, model: Any, metadata: Metadata, path: Path) -> None:
        """Write a complete model; nothing is there yet."""
