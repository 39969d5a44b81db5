"""What the tests of Triton's kernels share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers.triton_kernels import triton_on_cpu


@pytest.fixture(scope='module')
def launched() -> Iterator[list[str]]:
    """The kernels that ran, in Triton's interpreter."""
    with triton_on_cpu() as calls:
        yield calls
