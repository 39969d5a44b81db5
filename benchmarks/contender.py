"""Who takes part in a comparison, and who could not come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from effnet_dense.analysis.settings import Settings, memory_format

OURS = 'ours'


@dataclass(frozen=True)
class Contender:
    """A network to measure.

    Args:
        ecosystem: Whose it is: 'ours', 'timm', …
        name: Of this very contender, unlike all others'.
        make: Builds it with random weights; can be pickled, for a process of its own.
        returns: What its forward pass (N, 3, H, W) → tensors gives, for the reader.
        channels_last: The memory format of its weights and pictures.
        mode: 'plain' as it is, 'deployed' with norms folded, 'compiled' by torch.compile as well.
    """

    ecosystem: str
    name: str
    make: Callable[[], nn.Module]
    returns: str
    channels_last: bool = False
    mode: str = 'plain'

    def build(self, settings: Settings) -> nn.Module:
        """The network in training mode, on the device, in its memory format."""
        torch.manual_seed(settings.seed)
        model = self.make().to(settings.device)
        model.to(memory_format=memory_format(self.channels_last))
        model.train()  # mmdet's returns None
        return model

    def in_mode(self, mode: str) -> Contender:
        """The same network, made ready for inference in another way."""
        return replace(
            self, mode=mode, name=self.name if mode == 'plain' else f'{self.name}, {mode}'
        )


@dataclass(frozen=True)
class Absent:
    """A contender that was asked for and is not there."""

    ecosystem: str
    reason: str


@dataclass(frozen=True)
class Peer:
    """Another ecosystem's implementations.

    Args:
        package: What to install.
        member: Our name of a network → the peer's; None where it has none.
        make: The peer's name → a module with random weights, without drop path.
        returns: See `Contender`.
        what: Kind of network, for the reader.
        as_shipped: It knows no other memory format than NCHW, and is measured in that too.
    """

    ecosystem: str
    package: str
    member: Callable[[str], str | None]
    make: Callable[[str], nn.Module]
    returns: str
    what: str = 'backbone'
    as_shipped: bool = False

    def contenders(self, name: str, channels_last: bool) -> list[Contender] | Absent:
        """The peer's network of this name, in one memory format or two."""
        try:
            member = self.member(name)
        except ImportError:
            return Absent(self.ecosystem, f'{self.package} is not installed')
        if member is None:
            return Absent(self.ecosystem, f'{self.package} has no {self.what} {name}')
        label = f'{self.ecosystem} {member}'
        contender = Contender(self.ecosystem, label, partial(self.make, member), self.returns)
        if not channels_last:
            return [contender]
        in_format = replace(contender, channels_last=True)
        if not self.as_shipped:
            return [in_format]
        return [contender, replace(in_format, name=f'{label}, channels-last')]


def label(name: str, lean: int | None) -> str:
    """What a contender of ours is called."""
    return f'{OURS} {name}' if lean is None else f'{OURS} {name}, lean {lean}'


def line_up(
    ours: list[Contender], peers: list[Peer], name: str, channels_last: bool, only: list[str] | None
) -> tuple[list[Contender], list[Absent]]:
    """The contenders for one network, the peers first, and those that are absent.

    Args:
        only: Ecosystems to compare; None stands for all.

    Raises:
        ValueError: `only` names an unknown one, or nobody is there.
    """
    known = [OURS, *(peer.ecosystem for peer in peers)]
    unknown = [ecosystem for ecosystem in only or [] if ecosystem not in known]
    if unknown:
        raise ValueError(f'only must name some of {", ".join(known)}; got {", ".join(unknown)}')
    present: list[Contender] = []
    absent: list[Absent] = []
    for peer in peers:
        if only is None or peer.ecosystem in only:
            found = peer.contenders(name, channels_last)
            if isinstance(found, Absent):
                absent.append(found)
            else:
                present += found
    if only is None or OURS in only:
        present += ours
    if not present:
        raise ValueError(f'nobody to measure: {"; ".join(one.reason for one in absent)}')
    return present, absent
