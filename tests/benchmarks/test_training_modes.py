"""Training steps as they are, from graphs (but for the capture), and compiled."""

from __future__ import annotations

import pytest
import torch

from benchmarks.training_modes import GraphedStep, in_modes, prepare_for_training
from effnet_dense.analysis.settings import Settings
from tests.helpers import fake_implementation as fake

SETTINGS = Settings(fake.SIZE)


@pytest.mark.parametrize('mode', ['deployed', 'graphed', 'compiled'])
def test_gradients_are_those_of_a_plain_step(mode: str) -> None:
    found = {}
    for each in ('plain', mode):
        torch.manual_seed(0)
        model = fake.FakeNetwork()
        contender = fake.implementation(mode=each)
        options = {'backend': 'eager'} if each == 'compiled' else {}
        step = prepare_for_training(contender, model, fake.images(), SETTINGS, **options)
        model.zero_grad = lambda **_: None  # type: ignore[method-assign]
        step()
        found[each] = [parameter.grad for parameter in model.parameters()]
    torch.testing.assert_close(found[mode], found['plain'])


def test_every_step_uses_the_graph(recwarn: pytest.WarningsRecorder) -> None:
    step = GraphedStep(fake.FakeNetwork(), fake.images(), SETTINGS)
    calls = []
    (part,) = step.parts.values()
    part.graph = lambda module, *_, **__: lambda *x: calls.append(1) or module(*x)
    step()
    step()
    assert len(calls) == 2
    assert not [warning for warning in recwarn if 'CUDA graphs' in str(warning.message)]


def test_names() -> None:
    found = in_modes([fake.implementation('a'), fake.implementation('b')], ['plain', 'graphed'])
    assert [each.name for each in found] == ['a', 'a, graphed', 'b', 'b, graphed']
