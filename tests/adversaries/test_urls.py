"""URLs, and servers, that want to write elsewhere, never end, or be printed with a password."""

from __future__ import annotations

import _thread
import base64
import hashlib
import os
import time
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import torch
from torch import nn

from effnet_dense.weights import Pretrained, fetch, load_weights
from tests.helpers.server import Answer, begin, content, serving

DATA = b'weights' * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
NAME = f'y-{SHA256[:8]}.pth'
LIMIT = 'EFFNET_DENSE_MAX_DOWNLOAD_GB'


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint folder of a torch hub cache, deep in a folder that holds nothing else."""
    root = tmp_path / 'home' / 'cache' / 'hub'
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(root))
    return root / 'checkpoints'


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob('*') if not path.is_dir()]


def rubbish(tmp_path: Path) -> list[Path]:
    """Everything but the folders that a download may create."""
    kept = ('home', 'cache', 'hub', 'checkpoints')
    return [path for path in tmp_path.rglob('*') if path.name not in kept]


@pytest.mark.parametrize(
    'name',
    [
        '%2ftmp%2fx%2f{name}',
        '{outside}{name}',
        '..%2f..%2f..%2f{name}',
        '%2e%2e%2f{name}',
        '..%5c..%5c{name}',
        '%00{name}',
        '.%2e',
        '..',
        '',
        '.pth',
        '.part-{name}',
        '~root%2f{name}',
        'a%0ab%1b[31m{name}',
        'x' * 300 + '{name}',
        '%c3%a4' * 100 + '.pth',
        'con:|?*{name}',
    ],
)
def test_a_url_does_not_choose_the_place(name: str, hub: Path, tmp_path: Path) -> None:
    outside = tmp_path / 'outside'
    outside.mkdir()
    name = name.format(name=NAME, outside=quote(f'{outside}/', safe=''))
    with serving(content(DATA)) as address:
        path = fetch(f'http://{address}/models/{name}', SHA256)
    assert path.read_bytes() == DATA
    assert files(tmp_path) == [path]
    assert path.parent == hub and path.resolve().parent == hub.resolve()
    assert set(path.name) <= set(
        'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-'
    )
    assert not path.name.startswith('.') and len(path.name) < 150


def test_the_name_of_torch_hubs_convention_stays(hub: Path) -> None:
    """torch hub's users have the same file in their cache already."""
    with serving(content(DATA)) as address:
        assert fetch(f'http://{address}/{NAME}') == hub / NAME
    assert fetch(f'http://{address}/elsewhere/{NAME}') == hub / NAME  # no server any more


def test_a_name_with_another_files_hash_is_no_name(hub: Path) -> None:
    with serving(content(DATA)) as address:
        path = fetch(f'http://{address}/y-01234567.pth', SHA256)
    assert path == hub / f'{SHA256[:8]}-y-01234567.pth'


@pytest.mark.parametrize(
    'target', ['/..%2f..%2fz.pth', '/../../z.pth', '//{address}/%2ftmp%2fz.pth', '/z.pth']
)
def test_a_redirect_does_not_choose_the_place(target: str, hub: Path, tmp_path: Path) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        if NAME in request.path:
            location = target.format(address=request.headers['Host'])
            begin(request, 302, Location=location, Content_Disposition='filename="/tmp/z"')
        else:
            content(DATA)(request)

    with serving(answer) as address:
        assert fetch(f'http://{address}/{NAME}') == hub / NAME
    assert files(tmp_path) == [hub / NAME]


@pytest.mark.parametrize('target', ['file:///etc/hostname', 'ftp://127.0.0.1:9/x', '/a', 'http://'])
def test_redirects_that_lead_nowhere(target: str, hub: Path, tmp_path: Path) -> None:
    with (
        serving(lambda request: begin(request, 302, Location=target)) as address,
        pytest.raises(ConnectionError, match='could not download'),
    ):
        fetch(f'http://{address}/a#sha256={SHA256}')
    assert not rubbish(tmp_path)


def half_then_nothing(request: BaseHTTPRequestHandler) -> None:
    begin(request, Content_Length=len(DATA))
    request.wfile.write(DATA[:100])
    request.wfile.flush()
    time.sleep(4)


def no_headers(request: BaseHTTPRequestHandler) -> None:
    time.sleep(4)


@pytest.mark.parametrize('answer', [half_then_nothing, no_headers])
def test_a_silent_server_is_left(
    answer: Answer, hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('effnet_dense.weights.transfer.SILENCE_LIMIT', 0.3)
    start = time.monotonic()
    with serving(answer) as address, pytest.raises(ConnectionError, match=r'no byte in 0\.3 s'):
        fetch(f'http://{address}/{NAME}')
    assert time.monotonic() - start < 3
    assert not rubbish(tmp_path)


def test_a_slow_server_is_awaited(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on silence, not on the duration."""

    def slowly(request: BaseHTTPRequestHandler) -> None:
        begin(request, Content_Length=len(DATA))
        for start in range(0, len(DATA), 1000):
            request.wfile.write(DATA[start : start + 1000])
            request.wfile.flush()
            time.sleep(0.15)

    monkeypatch.setattr('effnet_dense.weights.transfer.SILENCE_LIMIT', 0.7)
    with serving(slowly) as address:
        assert fetch(f'http://{address}/{NAME}').read_bytes() == DATA


def announced(request: BaseHTTPRequestHandler) -> None:
    begin(request, Content_Length=10**13)
    request.wfile.write(DATA)


def endless(request: BaseHTTPRequestHandler) -> None:
    begin(request)
    for _ in range(1000):
        request.wfile.write(bytes(1 << 20))


def test_an_announced_size_is_refused_at_once(hub: Path, tmp_path: Path) -> None:
    with serving(announced) as address, pytest.raises(ValueError, match=rf'10000 GB.*{LIMIT}=4'):
        fetch(f'http://{address}/{NAME}')
    assert not rubbish(tmp_path)


def test_an_endless_answer_is_cut(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT, '0.01')
    with serving(endless) as address, pytest.raises(ValueError, match=rf'{LIMIT}=0\.01'):
        fetch(f'http://{address}/{NAME}')
    assert not rubbish(tmp_path)


def test_the_limit_may_be_raised(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(content(DATA)) as address:
        monkeypatch.setenv(LIMIT, '0.000001')
        with pytest.raises(ValueError, match=LIMIT):
            fetch(f'http://{address}/{NAME}')
        monkeypatch.setenv(LIMIT, '0.1')
        assert fetch(f'http://{address}/{NAME}').read_bytes() == DATA


@pytest.mark.parametrize('value', ['a lot', '-1', '0', 'nan', 'inf'])
def test_a_limit_that_is_none(value: str, hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, value)
    with pytest.raises(ValueError, match=rf'{LIMIT}.*{value!r}'):
        fetch(f'http://127.0.0.1:9/{NAME}')


def truncated(request: BaseHTTPRequestHandler) -> None:
    begin(request, Content_Length=len(DATA))
    request.wfile.write(DATA[:-1])


def truncated_chunk(request: BaseHTTPRequestHandler) -> None:
    request.protocol_version = 'HTTP/1.1'
    begin(request, Transfer_Encoding='chunked')
    request.wfile.write(b'%x\r\n' % len(DATA) + DATA[:100])
    request.close_connection = True


def coloured(request: BaseHTTPRequestHandler) -> None:
    request.send_response(500, '\x1b[31mhacked\x07')
    request.end_headers()


def test_a_reason_with_control_characters(hub: Path) -> None:
    with serving(coloured) as address, pytest.raises(ConnectionError) as raised:
        fetch(f'http://{address}/{NAME}')
    text = str(raised.value)
    assert 'hacked' in text and text.isprintable()


@pytest.mark.parametrize('answer', [truncated, truncated_chunk])
def test_a_truncated_answer(answer: Answer, hub: Path, tmp_path: Path) -> None:
    with serving(answer) as address, pytest.raises(ConnectionError, match='ended after'):
        fetch(f'http://{address}/{NAME}')
    assert not rubbish(tmp_path)


def test_another_file(hub: Path, tmp_path: Path) -> None:
    with serving(content(b'other')) as address, pytest.raises(ValueError, match='not the expected'):
        fetch(f'http://{address}/{NAME}')
    assert not rubbish(tmp_path)


def test_ctrl_c_leaves_nothing(hub: Path, tmp_path: Path) -> None:
    def interrupt(request: BaseHTTPRequestHandler) -> None:
        begin(request, Content_Length=len(DATA))
        request.wfile.write(DATA[:100])
        request.wfile.flush()
        time.sleep(0.3)
        _thread.interrupt_main()
        time.sleep(0.3)

    with serving(interrupt) as address, pytest.raises(KeyboardInterrupt):
        fetch(f'http://{address}/{NAME}')
    assert not rubbish(tmp_path)


def test_a_pipe_is_no_file(hub: Path, tmp_path: Path) -> None:
    pipe = tmp_path / NAME
    os.mkfifo(pipe)
    with pytest.raises(ConnectionError, match='could not download'):
        fetch(pipe.as_uri())


SECRETS = ('mallory', 'pa55word', 't0ken')


def shown(call: Callable[..., Any], *words: Any) -> str:
    """Everything that an error shows, its causes included."""
    with pytest.raises((ValueError, ConnectionError)) as raised:
        call(*words)
    return ''.join(traceback.format_exception(raised.value)) + repr(raised.value)


@pytest.mark.parametrize(
    'url',
    [
        'http://mallory:pa55word@{address}/missing-01234567.pth?token=t0ken',
        'http://mallory:pa55word@{address}/wrong-01234567.pth',
        'http://mallory:pa55word@{address}/no-hash.pth?token=t0ken',
        'http://mallory:pa55word@127.0.0.1:9/closed-01234567.pth',
        'http://mallory:pa55word@{address}:bad/x-01234567.pth',
        'http://mallory:pa55word/x@{address}/x-01234567.pth',
        'http://mallory:pa55word@[::1/x-01234567.pth',
        's3://mallory:pa55word@bucket/x.pth',
        'http://mallory:pa55word@{address}/redirect-01234567.pth',
        'http://mallory:pa55word@{address}/large-01234567.pth',
    ],
)
def test_passwords_are_never_shown(
    url: str, hub: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        if 'missing' in request.path:
            begin(request, 404)
        elif 'redirect' in request.path:
            begin(request, 302, Location='gopher://mallory:pa55word@x/')
        elif 'large' in request.path:
            announced(request)
        else:
            content(DATA)(request)

    with serving(answer) as address:
        url = url.format(address=address)
        model = nn.Linear(1, 1)
        texts = [shown(fetch, url), shown(load_weights, model, url), shown(Pretrained(url), model)]
    texts += [*capfd.readouterr(), caplog.text]
    assert [secret for secret in SECRETS for text in texts if secret in text] == []


def test_a_password_is_sent_but_not_to_another_host(hub: Path) -> None:
    seen: list[tuple[str, str | None]] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        seen.append((request.path, request.headers['Authorization']))
        if request.path.startswith('/first'):
            port = request.headers['Host'].partition(':')[2]
            begin(request, 302, Location=f'http://localhost:{port}/second')
        else:
            content(DATA)(request)

    with serving(answer) as address:
        fetch(f'http://mallory:pa55%77ord@{address}/first/{NAME}?token=t0ken')
    basic = 'Basic ' + base64.b64encode(b'mallory:pa55word').decode()
    assert seen == [(f'/first/{NAME}?token=t0ken', basic), ('/second', None)]


def test_a_report_shows_no_password(
    hub: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    torch.save(model.state_dict(), tmp_path / 'x.pth')
    data = (tmp_path / 'x.pth').read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    with serving(content(data)) as address:
        url = f'http://mallory:pa55word@{address}/x.pth?token=t0ken#sha256={sha256}'
        model._params_init_info = {p: {'tmp_mean_value': 0} for p in model.parameters()}
        Pretrained(url)(model)
    told = [info['init_info'] for info in model._params_init_info.values()]
    texts = [*told, *capfd.readouterr(), caplog.text]
    assert told and [secret for secret in SECRETS for text in texts if secret in text] == []
