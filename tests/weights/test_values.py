from __future__ import annotations

import pytest
import torch

from effnet_dense.weights.values import check_layouts, check_values

OWN = {'w': torch.zeros(2), 'count': torch.tensor(0)}


def test_what_is_allowed() -> None:
    check_layouts({'w': torch.ones(2), 'text': 'x'})
    check_values({'w': torch.ones(2), 'count': torch.tensor(3)}, OWN)
    check_values({'w': torch.ones(0)}, {'w': torch.zeros(0)})
    check_values({'w.running_var': torch.ones(0)}, {'w.running_var': torch.zeros(0)})
    check_values({'unknown': torch.tensor(float('nan'))}, OWN)
    check_values({'w': torch.ones(2).to(torch.float8_e4m3fn)}, OWN)


def test_a_counter_that_is_nan() -> None:
    with pytest.raises(ValueError, match=r'finite numbers, got 1 others: .count \(NaN\)'):
        check_values({'count': torch.tensor(float('nan'))}, OWN)


def test_the_models_type_counts() -> None:
    check_values({'w': torch.tensor([1e5, 1.0])}, OWN)
    with pytest.raises(ValueError, match=r'Inf as torch\.float16'):
        check_values({'w': torch.tensor([1e5, 1.0])}, {'w': torch.zeros(2).half()})


def test_nested_tensors() -> None:
    nested = torch.nested.nested_tensor([torch.zeros(1), torch.zeros(2)])
    with pytest.raises(ValueError, match=r'w.*nested'):
        check_layouts({'w': nested})


@pytest.mark.parametrize('layout', [torch.sparse_csr, torch.sparse_csc, torch.sparse_coo])
def test_sparse_layouts(layout: torch.layout) -> None:
    tensor = torch.eye(2).to_sparse(layout=layout)
    with pytest.raises(ValueError, match=f'w.*{str(layout)[6:]}'):
        check_layouts({'w': tensor})
