"""Deferred scalars: what is read equals mmengine's, and a device is asked once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.logging import MessageHub
from torch import Tensor

from effnet_dense.engine import deferred_scalars
from effnet_dense.engine.deferred_scalars import DeferredScalars


class OnDevice(Tensor):
    """A tensor on the CPU that says that it is on a GPU, and counts transfers."""

    transfers = 0

    @property
    def device(self) -> Any:
        return torch.device('cuda', 0)

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in (Tensor.item, Tensor.tolist, Tensor.__float__, Tensor.numpy):
            cls.transfers += 1
        return super().__torch_function__(function, types, args, kwargs or {})


def on_device(value: float, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.tensor(value, dtype=dtype).as_subclass(OnDevice)


@pytest.fixture
def hub(request: pytest.FixtureRequest) -> MessageHub:
    """A hub of its own."""
    OnDevice.transfers = 0
    return DeferredScalars.adopt(MessageHub.get_instance(f'deferred_{request.node.name}'))


def test_losses_are_fetched_when_they_are_read(hub: MessageHub) -> None:
    for step in range(50):
        hub.update_scalar('train/loss', on_device(step))
        hub.update_scalar('train/loss_cls', on_device(2 * step))
    assert OnDevice.transfers == 0
    assert hub.log_scalars['train/loss'].data[0].tolist() == list(range(50))
    assert hub.get_scalar('train/loss_cls').current() == 98
    assert OnDevice.transfers == 1


def test_a_checkpoint_has_all_of_them(hub: MessageHub) -> None:
    hub.update_scalar('train/loss', on_device(3.0))
    saved = hub.state_dict()
    other = DeferredScalars.adopt(MessageHub.get_instance('deferred_other'))
    other.update_scalar('train/loss', on_device(9.0))
    other.load_state_dict(saved)
    assert other.get_scalar('train/loss').data[0].tolist() == [3.0]


def test_values_keep_their_order(hub: MessageHub) -> None:
    hub.update_scalar('a', on_device(1.0))
    hub.update_scalar('a', 2.0)
    hub.update_scalar('a', on_device(3.0))
    hub.update_scalar('a', torch.tensor(4.0))
    assert hub.get_scalar('a').data[0].tolist() == [1, 2, 3, 4]


def test_types_are_not_mixed(hub: MessageHub) -> None:
    large = 2**24 + 1.0  # float32 has 24 bits
    hub.update_scalar('a', on_device(large, torch.float64))
    hub.update_scalar('b', on_device(0.5, torch.bfloat16))
    assert hub.get_scalar('a').current() == large
    assert hub.get_scalar('b').current() == 0.5


def test_few_wait(hub: MessageHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_scalars, 'MOST', 4)
    for step in range(10):
        hub.update_scalar('a', on_device(step))
    assert OnDevice.transfers == 2
    assert hub.get_scalar('a').data[0].tolist() == list(range(10))


def test_other_hubs_stay() -> None:
    class Own(MessageHub):
        pass

    own = Own.get_instance('deferred_own')
    assert DeferredScalars.adopt(own) is own and type(own) is Own


def test_cpu_values_are_logged_at_once(hub: MessageHub) -> None:
    hub.update_scalar('a', torch.tensor(1.5))
    assert not hub._waiting
    assert hub.get_scalar('a').current() == 1.5


def test_reading_another_key_fetches_nothing(hub: MessageHub) -> None:
    hub.update_scalar('train/time', 0.5)
    hub.update_scalar('train/loss', on_device(1.0))
    assert hub.get_scalar('train/time').current() == 0.5  # mmengine's timer, at each step
    assert OnDevice.transfers == 0
    with pytest.raises(KeyError):
        hub.get_scalar('unknown')


def test_what_is_known_without_fetching(hub: MessageHub) -> None:
    assert isinstance(hub, DeferredScalars)
    hub.update_scalar('train/loss', on_device(1.0))
    assert 'train/loss' not in hub.fetched_scalars()
    assert hub.get_scalar('train/loss').current() == 1
    hub.update_scalar('train/loss', on_device(2.0))
    assert hub.fetched_scalars()['train/loss'].current() == 1
    assert OnDevice.transfers == 1
