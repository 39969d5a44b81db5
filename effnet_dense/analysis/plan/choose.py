"""Choose among candidates: by rules, since accuracies are not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from effnet_dense.analysis.plan import rules
from effnet_dense.analysis.plan.candidate import Budget, Candidate
from effnet_dense.analysis.plan.machine import GIB
from effnet_dense.analysis.plan.recipes import RECIPES

ENOUGH_SEEN = 0.95
"""Share of objects from which on a larger one is not preferred."""


def rank(candidate: Candidate, budget: Budget) -> tuple[float, ...]:
    """Return what candidates are compared by; the largest is the best.

    1. Objects that are seen: the share of at least 8 px, in classes of 5 %.
    2. Images at least as large as those with which the recipe was tested: its own 320 px, or
       label maps' own size.
    3. The recipe with the better measured figure.
    4. A 2x schedule fits.
    5. If it does, the larger network: compound scaling's published accuracies rise with
       multiply-adds throughout (EfficientDet, table 2). If not, the longer training.
    """
    recipe, size = candidate.recipe, candidate.size
    tested = size.own or (recipe.base_size > 0 and size.crop[0] >= recipe.base_size)
    comfortable = rules.comfortable_training(candidate.shortest)
    steps = candidate.schedule(budget).steps
    fits = steps >= comfortable
    return (
        float(rules.seen(min(candidate.share_8, ENOUGH_SEEN))),
        float(tested),
        float(-RECIPES.index(recipe)),
        float(fits),
        candidate.gflops if fits else steps / candidate.shortest,
        float(candidate.batch),
    )


def possible(candidates: Iterable[Candidate], budget: Budget, memory: float) -> list[Candidate]:
    """Return the candidates within a budget whose weights can be had, the best first."""
    found = [c for c in candidates if not c.weights and not c.excess(budget, memory)]
    return sorted(found, key=lambda c: rank(c, budget), reverse=True)


def first_that_fits(batches: Sequence[Candidate], budget: Budget, memory: float) -> Candidate:
    """Return the candidate with the preferred batch size, of those that differ in nothing else.

    If none fits, the one that exceeds memory least.

    Args:
        batches: In the order of preference.
        budget: The limits.
        memory: Bytes that the machine has.
    """
    for candidate in batches:
        if 'memory' not in candidate.excess(budget, memory):
            return candidate
    return min(batches, key=lambda c: c.memory)


def nothing_fits(candidates: Sequence[Candidate], budget: Budget, memory: float) -> str:
    """Say which candidate is nearest to a budget, and what it needs."""
    known = [c for c in candidates if not c.weights]
    if not known:
        reasons = sorted({c.weights for c in candidates})
        return f'no backbone has weights: {"; ".join(reasons) or "no candidates"}'
    nearest = min(known, key=lambda c: max(c.excess(budget, memory).values(), default=1.0))
    excess = nearest.excess(budget, memory)
    needs = {
        'time': f'{nearest.needed_minutes():.1f} minutes for {nearest.shortest} steps (--minutes '
        f'gives {budget.minutes:g}), the fewest that a plan has',
        'memory': f'{(nearest.memory + nearest.reserve) / GIB:.2f} GiB of memory ('
        + (f'--gib gives {budget.gib:g})' if budget.gib else f'{memory / GIB:.2f} are free)'),
        'latency': f'{1000 * nearest.latency:.0f} ms per image (--latency-ms gives '
        f'{budget.latency_ms or 0:g})',
    }
    listed = ' and '.join(needs[name] for name in excess)
    return (
        f'the budget is too small for each of {len(known)} candidates: the nearest, '
        f'{nearest.title()}, needs {listed}; raise the budget, or train for less without a plan: '
        f'effnet-dense train {nearest.recipe.config} --data DIR --epochs N'
    )
