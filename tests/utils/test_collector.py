"""The garbage collector pauses, and is on again afterwards."""

from __future__ import annotations

import gc

import pytest

from effnet_dense.utils.collector import collector_paused


def test_pauses_and_resumes() -> None:
    @collector_paused()
    def fails() -> None:
        assert not gc.isenabled()
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):
            fails()
        assert gc.isenabled()


def test_stays_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
