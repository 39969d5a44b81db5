"""Exact figures against hand-derived ones, and the modes of inference."""

from __future__ import annotations

import pytest
import torch

from benchmarks import detectors, features
from benchmarks.contender import line_up
from benchmarks.fold import fold_norms
from benchmarks.measure import measure
from benchmarks.peak import PROCESS, peak_bytes
from benchmarks.ready import calibrate, ready
from effnet_dense.analysis import counts
from effnet_dense.analysis.clock import interleaved, ratio
from effnet_dense.analysis.saved import MIB, saved_bytes
from effnet_dense.analysis.settings import Settings
from effnet_dense.models import EfficientNet
from tests.helpers import fake_contenders as fake
from tests.reference.saved_bytes import saved_bytes as saved_by_the_tests


def test_sizes_of_the_fake() -> None:
    assert counts.parameters(fake.Fake()) == fake.PARAMETERS
    assert counts.gflops(fake.Fake(), fake.images(1)) == pytest.approx(fake.GFLOPS)
    saved = saved_bytes(fake.Fake().train(), fake.images())
    assert saved.hooks == saved.alive == saved.bytes == 2 * fake.MAPS + fake.STATISTICS


@pytest.mark.parametrize('lean', [0, 1, 2])
def test_saved_bytes_are_those_of_the_tests(lean: int) -> None:
    model = EfficientNet('b0', lean=lean).train()
    x = torch.randn(2, 3, 64, 64)
    saved = saved_bytes(model, x)
    assert saved.hooks == saved_by_the_tests(model, x)[0]
    assert saved.alive == pytest.approx(saved.hooks, rel=0.02)


def test_tasks_take_turns_and_turn_round() -> None:
    seen: list[str] = []
    tasks = [lambda: seen.append('a'), lambda: seen.append('b')]
    times = interleaved(tasks, 3, warm_up=1)
    assert ''.join(seen) == 'ab' + 'ab' + 'ba' + 'ab'
    assert [len(own) for own in times] == [3, 3]


def test_ratio_is_the_median_of_the_pairs() -> None:
    assert ratio([1, 20, 3], [2, 10, 3]) == 1.0


def test_folding_leaves_convolutions_that_run_twice() -> None:
    model = fake.Fake()
    calibrate(model, fake.images())
    folded = fold_norms(model, fake.images())
    assert isinstance(folded.norm, torch.nn.Identity)
    assert all(isinstance(norm, torch.nn.BatchNorm2d) for norm in folded.norms)
    assert isinstance(model.norm, torch.nn.BatchNorm2d)


def test_folding_refuses_what_changes_the_results() -> None:
    class Spied(fake.Fake):
        def forward(self, x):
            x = self.first(x)
            return self.norm(x) + x

    model = Spied()
    calibrate(model, 3 + fake.images())
    with pytest.raises(ValueError, match='folding norms changed the results'):
        fold_norms(model, fake.images())


def test_statistics_are_the_batch_s() -> None:
    model = fake.Fake()
    calibrate(model, fake.images())
    maps = model.first(fake.images())
    torch.testing.assert_close(model.norm.running_mean, maps.mean((0, 2, 3)))
    assert model.norm.momentum == 0.1


@pytest.mark.parametrize('ecosystem', ['timm', 'torchvision', 'mmdet'])
def test_peers_fold_whole_and_keep_their_results(ecosystem: str) -> None:
    contenders, absent = line_up([], features.PEERS, 'b0', False, [ecosystem])
    if absent:
        pytest.skip(absent[0].reason)
    settings = Settings(64, batch=1)
    folded = ready(
        contenders[0].in_mode('deployed'), contenders[0].build(settings), settings.images(2, False)
    )
    norms = [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert not norms


def test_every_peer_returns_the_same_shapes_and_counts() -> None:
    contenders, _ = line_up(features.ours('b0', [1], False), features.PEERS, 'b0', False, None)
    settings = Settings(64, batch=1)
    for contender in contenders:
        model = contender.build(settings)
        model.eval()  # mmdet's returns None
        with torch.no_grad():
            shapes = [tuple(feature.shape) for feature in model(settings.images(1, False))]
        assert shapes == [(1, 40, 8, 8), (1, 112, 4, 4), (1, 320, 2, 2)], contender.name
        head = 320 * 1280 + 2 * 1280
        assert counts.parameters(model) in (3_595_388, 3_595_388 + head), contender.name


def test_detectors_have_the_same_size() -> None:
    contenders, absent = line_up(
        detectors.ours('d0', [1], False), detectors.peers(128), 'd0', False, None
    )
    if absent:
        pytest.skip(absent[0].reason)
    peer, own = (contender.build(Settings(128)) for contender in contenders)
    assert counts.parameters(own) == counts.parameters(peer) == 3_880_067
    x = torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        for ours, theirs in zip(own(x), peer(x), strict=True):
            assert [level.shape for level in ours] == [level.shape for level in theirs]


def test_a_report_of_everything_but_the_peak() -> None:
    settings = Settings(fake.SIZE, batch=2, repeats=3, threads=torch.get_num_threads())
    contenders = [fake.contender(), fake.contender('folded', 'deployed')]
    report = measure('fakes', contenders, settings, ['gflops', 'saved', 'step', 'inference'])
    assert report.reference.name == 'fake'
    assert report.metrics() == ['step', 'inference 1', 'inference 2']
    for row in report.rows:
        assert row.parameters == fake.PARAMETERS
        assert row.saved == pytest.approx((fake.MAPS + fake.STATISTICS / 2) / MIB)
        assert [len(row.times(metric)) for metric in report.metrics()] == [3, 3, 3]
        assert row.peak is None


@pytest.mark.parametrize(
    ('count', 'measures', 'message'),
    [(0, ['step'], 'at least one contender'), (1, ['speed'], r"got \['speed'\]"), (1, [], 'got')],
)
def test_nothing_to_measure(count: int, measures: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure('x', [fake.contender()] * count, Settings(), measures)


@pytest.mark.skipif(not (PROCESS / 'clear_refs').exists(), reason='Linux tells the peak')
def test_the_peak_holds_what_is_saved() -> None:
    settings = Settings(1024, batch=2, threads=1)
    saved = 2 * fake.MAPS / fake.SIZE**2 * 1024**2
    peak = peak_bytes(fake.contender(), settings)
    assert peak is not None
    assert saved < peak < 3 * saved
