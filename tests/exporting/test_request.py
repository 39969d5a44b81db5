"""What the user does not say of an export is filled in before anything is traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from torch import nn

from effnet_dense.exporting.request import Request, settle


class Differing:
    """A segmentor whose test pipeline gives images of different sizes."""

    model = nn.Identity()
    task = 'semantic'
    channels = 3

    def __init__(self, multiple: int | None) -> None:
        self.multiple = multiple

    def default_post(self, posts: Sequence[str]) -> str:
        return posts[0]

    def default_multiple(self) -> int | None:
        return self.multiple

    def sides(self, size: tuple[int, int] | None) -> tuple[int, int]:
        if size is None:
            raise ValueError('give --size H W')
        return size

    def check_multiple(self, multiple: int) -> None:
        assert multiple % 32 == 0

    def metadata(self, settled: Any, outputs: Sequence[str]) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize('form', ['onnx', 'openvino'])
def test_images_of_different_sizes_make_a_file_of_every_size(form: str) -> None:
    settled = settle(Differing(128), Request(format=form))
    assert settled.multiple == 128 and settled.sides == (128, 128)
    settled = settle(Differing(128), Request(format=form, multiple=256))
    assert settled.multiple == 256
    settled = settle(Differing(128), Request(format=form, size=(96, 64)))
    assert settled.multiple is None and settled.sides == (96, 64)


def test_what_takes_one_size_asks_for_it() -> None:
    with pytest.raises(ValueError, match='give --size'):
        settle(Differing(None), Request(format='onnx'))
    with pytest.raises(ValueError, match='give --size'):
        settle(Differing(128), Request(format='torch'))
