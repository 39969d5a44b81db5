"""Collect the implementations of a network that take part in a comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from effnet_dense.analysis.latency import build_network
from effnet_dense.analysis.settings import Settings

OURS = 'ours'


@dataclass(frozen=True)
class Implementation:
    """A network to measure.

    Args:
        ecosystem: 'ours', 'timm', …
        name: Unique in a comparison.
        make: Builds it with random weights; can be pickled, for another process.
        returns: Describes the outputs of its forward pass (N, 3, H, W) → tensors.
        channels_last: The memory format of its weights and images.
        mode: 'plain', 'deployed' (norms folded) or 'compiled' (by torch.compile as well).
    """

    ecosystem: str
    name: str
    make: Callable[[], nn.Module]
    returns: str
    channels_last: bool = False
    mode: str = 'plain'

    def build(self, settings: Settings) -> nn.Module:
        """Build the network in training mode, on the device, in its memory format."""
        return build_network(self.make, settings, self.channels_last)

    def in_mode(self, mode: str) -> Implementation:
        """Return the same network, prepared for inference in another way."""
        return replace(
            self, mode=mode, name=self.name if mode == 'plain' else f'{self.name}, {mode}'
        )


@dataclass(frozen=True)
class Unavailable:
    """A requested peer that is not installed or has no such network."""

    ecosystem: str
    reason: str


@dataclass(frozen=True)
class Peer:
    """Another ecosystem's implementations.

    Args:
        ecosystem: 'timm', …
        package: The package to install.
        find: Our name of a network → the peer's, or None if it has none; ImportError if the
            package is not installed.
        make: The peer's name → a module with random weights, without drop path.
        returns: See `Implementation`.
        kind: What messages call the network.
        also_nchw: Whether to measure NCHW besides channels-last, for which it has no option.
    """

    ecosystem: str
    package: str
    find: Callable[[str], str | None]
    make: Callable[[str], nn.Module]
    returns: str
    kind: str = 'backbone'
    also_nchw: bool = False

    def implementations(self, name: str, channels_last: bool) -> list[Implementation] | Unavailable:
        """Return the peer's network of our name, in one memory format or two."""
        try:
            peer_name = self.find(name)
        except ImportError:
            return Unavailable(self.ecosystem, f'{self.package} is not installed')
        if peer_name is None:
            return Unavailable(self.ecosystem, f'{self.package} has no {self.kind} {name}')
        label = f'{self.ecosystem} {peer_name}'
        nchw = Implementation(self.ecosystem, label, partial(self.make, peer_name), self.returns)
        if not channels_last:
            return [nchw]
        in_format = replace(nchw, channels_last=True)
        if not self.also_nchw:
            return [in_format]
        return [nchw, replace(in_format, name=f'{label}, channels-last')]


def own_label(name: str, lean: int | None) -> str:
    """Return the name of our implementation at a lean level."""
    return f'{OURS} {name}' if lean is None else f'{OURS} {name}, lean {lean}'


def collect_implementations(
    ours: list[Implementation],
    peers: list[Peer],
    name: str,
    channels_last: bool,
    only: list[str] | None,
) -> tuple[list[Implementation], list[Unavailable]]:
    """Return a network's implementations, the peers' first, and the unavailable peers.

    Args:
        ours: This package's implementations.
        peers: Other ecosystems.
        name: Our name of the network.
        channels_last: The memory format.
        only: Ecosystems to compare; None: all.

    Raises:
        ValueError: `only` has an unknown name, or nothing is available.
    """
    known = [OURS, *(peer.ecosystem for peer in peers)]
    unknown = [ecosystem for ecosystem in only or [] if ecosystem not in known]
    if unknown:
        raise ValueError(f'only must name some of {", ".join(known)}; got {", ".join(unknown)}')
    found: list[Implementation] = []
    unavailable: list[Unavailable] = []
    for peer in peers:
        if only is None or peer.ecosystem in only:
            implementations = peer.implementations(name, channels_last)
            if isinstance(implementations, Unavailable):
                unavailable.append(implementations)
            else:
                found += implementations
    if only is None or OURS in only:
        found += ours
    if not found:
        reasons = '; '.join(peer.reason for peer in unavailable)
        raise ValueError(f'no implementation to measure: {reasons}')
    return found, unavailable
