"""Write checkpoints that would run code or fill memory, or are damaged; one function for each.

Code that ran would create the folder `canary`.
"""

from __future__ import annotations

import builtins
import io
import os
import pickle
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch


class Calls:
    """Pickled as a function call."""

    def __init__(self, function: Any, *words: Any) -> None:
        self.call = (function, words)

    def __reduce__(self) -> Any:
        return self.call


def payloads(canary: Path) -> dict[str, Any]:
    """Objects that create the canary when they are unpickled."""
    code = f"__import__('os').mkdir({str(canary)!r})"
    return {
        'system': Calls(os.system, f'mkdir {canary}'),
        'mkdir': Calls(os.mkdir, str(canary)),
        'eval': Calls(builtins.eval, code),
        'exec': Calls(builtins.exec, code),
        'popen': Calls(subprocess.check_call, ['mkdir', str(canary)]),
        'map': Calls(list, map(os.mkdir, [str(canary)])),
        'partial': Calls(partial(os.mkdir, str(canary))),
    }


def state(payload: Any = None, spot: str = '') -> dict[str, Any]:
    """A training state as mmengine writes it, with a payload in one of its parts."""
    content: dict[str, Any] = {
        'meta': {'epoch': 1, 'iter': 1, 'dataset_meta': {'classes': ('a', 'b')}},
        'state_dict': {'weight': torch.ones(2)},
        'message_hub': {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}},
        'optimizer': {'state': {}, 'param_groups': []},
    }
    if spot:
        content[spot]['x'] = payload
    return content


def running(name: str, spot: str, zipped: bool = True) -> Callable[[Path, Path], None]:
    """Writes a checkpoint with a payload in a spot."""

    def write(path: Path, canary: Path) -> None:
        content = state(payloads(canary)[name], spot)
        torch.save(content, path, _use_new_zipfile_serialization=zipped)

    return write


def plain_pickle(protocol: int) -> Callable[[Path, Path], None]:
    """Writes a bare pickle."""

    def write(path: Path, canary: Path) -> None:
        path.write_bytes(pickle.dumps(payloads(canary)['mkdir'], protocol))

    return write


def opcode(path: Path, canary: Path) -> None:
    """Protocol 0's INST, which calls without REDUCE."""
    path.write_bytes(b"(S'mkdir " + str(canary).encode() + b"'\nios\nsystem\n.")


def object_array(path: Path, canary: Path) -> None:
    """numpy's file with pickled objects, under a checkpoint's name."""
    with path.open('wb') as file:
        np.save(file, np.array([payloads(canary)['mkdir']], dtype=object), allow_pickle=True)


def object_archive(path: Path, canary: Path) -> None:
    with path.open('wb') as file:
        np.savez(file, x=np.array([payloads(canary)['mkdir']], dtype=object))


def object_array_inside(path: Path, canary: Path) -> None:
    array = np.array([payloads(canary)['mkdir']], dtype=object)
    torch.save(state(array, 'message_hub'), path)


def tar_archive(path: Path, canary: Path) -> None:
    """torch's oldest format is a tar file; this one would write outside its folder."""
    with tarfile.open(path, 'w') as archive:
        content = pickle.dumps(payloads(canary)['mkdir'])
        for name in ('pickle', 'storages', 'tensors', f'../{canary.name}/x'):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def traversal(path: Path, canary: Path) -> None:
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/data.pkl', pickle.dumps(payloads(canary)['mkdir'], 2))
        archive.writestr(f'../{canary.name}/x', b'x')
        archive.writestr(f'{canary}/x', b'x')


def script(path: Path, canary: Path) -> None:
    """A TorchScript archive, which holds code."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/constants.pkl', pickle.dumps((), 2))
        archive.writestr('archive/data.pkl', pickle.dumps(payloads(canary)['mkdir'], 2))
        archive.writestr('archive/version', '3\n')


def bomb(path: Path, canary: Path) -> None:
    """64 MiB of zeros in 64 KiB."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('archive/data.pkl', pickle.dumps({}, 2))
        archive.writestr('archive/data/0', bytes(1 << 26))


def endless_array(path: Path, canary: Path) -> None:
    torch.save({'x': Calls(bytearray, 1 << 60)}, path)


def truncated(path: Path, canary: Path) -> None:
    running('mkdir', 'meta')(path, canary)
    path.write_bytes(path.read_bytes()[:500])


def written(content: bytes) -> Callable[[Path, Path], None]:
    """Writes bytes."""

    def write(path: Path, canary: Path) -> None:
        path.write_bytes(content)

    return write


SPOTS = ('meta', 'state_dict', 'message_hub', 'optimizer')
FILES: dict[str, Callable[[Path, Path], None]] = {
    **{f'{name} in meta.pth': running(name, 'meta') for name in payloads(Path('canary'))},
    **{f'in {spot}.pth': running('system', spot) for spot in SPOTS},
    **{f'legacy in {spot}.pth': running('eval', spot, zipped=False) for spot in SPOTS},
    **{f'protocol {p}.pth': plain_pickle(p) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
    'opcode.pth': opcode,
    'array.npy': object_array,
    'array.npz': object_archive,
    'array.pth': object_array_inside,
    'old.tar': tar_archive,
    'traversal.pth': traversal,
    'script.pt': script,
    'bomb.pth': bomb,
    'endless.pth': endless_array,
    'truncated.pth': truncated,
    'empty.pth': written(b''),
    'text.pth': written(b'no checkpoint'),
    'folder.pth': lambda path, canary: path.mkdir(),
    'header.safetensors': written((8).to_bytes(8, 'little') + b'{"a": 1}'),
    'long.safetensors': written((1 << 60).to_bytes(8, 'little') + b'{}'),
    'short.safetensors': written(b'\1\0'),
    'nested.safetensors': written((90_000).to_bytes(8, 'little') + b'[' * 90_000),
}
