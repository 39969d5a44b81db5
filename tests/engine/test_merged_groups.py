"""Groups of equal settings take a fused step together, with the results of separate steps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from effnet_dense.engine.merged_groups import merge_groups, step_in_merged_groups


def weights() -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(size)) for size in (3, 5, 2, 4)]


def wrapper(kind: str, fused: bool = True) -> OptimWrapper:
    """Each weight in a group of its own, as mmengine builds them; the last without decay."""
    groups: list[dict[str, Any]] = [dict(params=[w], initial_lr=0.1) for w in weights()]
    groups[-1]['weight_decay'] = 0.0
    options: dict[str, Any] = dict(lr=0.1, weight_decay=0.5, fused=fused)
    return OptimWrapper(getattr(torch.optim, kind)(groups, **options))


def step(wrapped: OptimWrapper) -> list[torch.Tensor]:
    groups = wrapped.optimizer.param_groups
    for number, group in enumerate(groups):
        group['params'][0].grad = torch.full_like(group['params'][0], number + 1.0)
    wrapped.step()
    return [group['params'][0].detach() for group in groups]


@pytest.mark.parametrize('kind', ['SGD', 'AdamW'])
def test_results_and_groups_stay(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, merged = wrapper(kind), wrapper(kind)
    step_in_merged_groups(merged)
    step_in_merged_groups(merged)  # once more changes nothing
    sizes: list[int] = []
    cls = type(merged.optimizer)
    run = cls.step

    def spy(self: Any, *args: Any) -> Any:
        sizes.append(len(self.param_groups))
        return run(self, *args)

    for _ in range(2):
        expected = step(plain)
        with monkeypatch.context() as patch:
            patch.setattr(cls, 'step', spy)
            found = step(merged)
        for a, b in zip(found, expected, strict=True):
            assert torch.equal(a, b)
    assert sizes == [2, 2]
    assert (
        merged.optimizer.state_dict()['param_groups']
        == (plain.optimizer.state_dict()['param_groups'])
    )


def test_a_failed_step_leaves_the_groups() -> None:
    wrapped = wrapper('SGD')
    step_in_merged_groups(wrapped)
    groups = wrapped.optimizer.param_groups
    with pytest.raises(ZeroDivisionError):
        wrapped.optimizer.step(lambda: 1 / 0)
    assert wrapped.optimizer.param_groups is groups


def test_schedules_still_see_each_group() -> None:
    groups = [dict(params=[1], lr=0.1), dict(params=[2], lr=0.1), dict(params=[3], lr=0.2)]
    assert [g['params'] for g in merge_groups(groups, {})] == [[1, 2], [3]]
    assert [g['params'] for g in groups] == [[1], [2], [3]]
    groups[1]['lr'] = 0.2
    assert [g['params'] for g in merge_groups(groups, {})] == [[1], [2, 3]]


def test_rates_that_are_tensors_stay_apart() -> None:
    groups = [dict(params=[n], lr=torch.tensor(0.1)) for n in range(2)]
    assert len(merge_groups(groups, {})) == 2


def test_only_fused_ones_and_several() -> None:
    fused, plain = wrapper('SGD'), wrapper('SGD', fused=False)
    step_in_merged_groups(OptimWrapperDict(a=fused, b=plain))
    assert 'step' in vars(fused.optimizer)
    assert 'step' not in vars(plain.optimizer)
    foreign = SimpleNamespace(optimizer=SimpleNamespace(param_groups=[{}]))
    step_in_merged_groups(foreign)
    assert not hasattr(foreign.optimizer, 'step')


def test_a_weight_whose_first_gradient_comes_later() -> None:
    """torch's fused SGD takes no group of which some weights have a momentum, and others none."""
    found = []
    for merged in (False, True):
        groups = [dict(params=[w]) for w in weights()]
        wrapped = OptimWrapper(torch.optim.SGD(groups, lr=0.1, momentum=0.9, fused=True))
        if merged:
            step_in_merged_groups(wrapped)
        for number in range(3):
            for index, group in enumerate(groups):
                late = index == 2 and number == 0
                group['params'][0].grad = None if late else torch.ones_like(group['params'][0])
            wrapped.optimizer.step()
        found.append([group['params'][0].detach() for group in groups])
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)
