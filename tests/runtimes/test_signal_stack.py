"""Ctrl-C after OpenVINO reaches Python's handler."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import numpy as np
import pytest

from effnet_dense.runtimes import signal_stack
from effnet_dense.runtimes.signal_stack import kept_signal_stack

pytestmark = pytest.mark.skipif(sys.platform != 'linux', reason='Linux has sigaltstack')


def address() -> int | None:
    """Where this thread's alternate stack is."""
    stack = signal_stack._Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack))
    return stack.address


def test_a_stack_set_in_the_block_is_replaced() -> None:
    memory = ctypes.create_string_buffer(1 << 16)
    before = address()
    with kept_signal_stack():
        own = signal_stack._Stack(ctypes.addressof(memory), 0, len(memory))
        assert ctypes.CDLL(None).sigaltstack(ctypes.byref(own), None) == 0
        assert address() == ctypes.addressof(memory)
    assert address() == before


def test_signals_after_networks_that_ended_in_the_order_of_their_making() -> None:
    openvino = pytest.importorskip('openvino')
    ops = pytest.importorskip('openvino.opset13')
    before, seen = address(), []
    networks = []
    for _ in range(2):
        given = ops.parameter([1, 3], np.float32)
        model = openvino.Model([ops.relu(given)], [given], 'relu')
        with kept_signal_stack():
            networks.append(openvino.compile_model(model, 'CPU'))
    while networks:
        del networks[0]
    assert address() == before
    handler = signal.signal(signal.SIGUSR1, lambda *_: seen.append(True))
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, handler)
    assert seen == [True]
