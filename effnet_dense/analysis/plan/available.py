"""Find out whether a backbone's weights can be had: installed, cached, or downloadable."""

from __future__ import annotations

import functools
import importlib.util
import os
import urllib.request

from effnet_dense.weights.sources import package_module

HUB = 'https://huggingface.co'
TIMEOUT = 5.0


def why_unavailable(source: str) -> str:
    """Return why a source's file can be neither found nor downloaded; '' if it can.

    Nothing is downloaded.

    Args:
        source: `pypi://…` or `timm://…`.
    """
    scheme, _, name = source.partition('://')
    if scheme == 'pypi':
        module = package_module(name)
        installed = importlib.util.find_spec(module) is not None
        return '' if installed else f'pip install {module.replace("_", "-")}'
    if importlib.util.find_spec('timm') is None:
        return 'pip install timm'
    return '' if _is_cached(name) or hub_answers() else f'{HUB} is not reachable'


def _is_cached(name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    from effnet_dense.weights.sources import timm_cfg

    hub = timm_cfg(name).hf_hub_id
    return bool(hub) and isinstance(try_to_load_from_cache(hub, 'model.safetensors'), str)


@functools.cache
def hub_answers() -> bool:
    """Whether the Hugging Face Hub can be reached from here, by way of a proxy if one is set."""
    if os.environ.get('HF_HUB_OFFLINE', '0').upper() in ('1', 'ON', 'YES', 'TRUE'):
        return False
    request = urllib.request.Request(HUB, method='HEAD')
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT):
            return True
    except (OSError, ValueError):
        return False
