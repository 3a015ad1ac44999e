from __future__ import annotations

from pathlib import Path

import pytest
from openai import OpenAI

from chatnb.testing import wire_cassettes
from tests.support.loopback import LoopbackServer, delta, head, saying, usage, whole

KEY = "sk-loopback-0123456789abcdef"
ORGANISATION = "org-ABCDEFGH12345678"


def client_of(server: LoopbackServer) -> OpenAI:
    return OpenAI(api_key=KEY, organization=ORGANISATION, base_url=server.base_url, max_retries=0)


def ask(client: OpenAI, prompt: str) -> str | None:
    messages = [{"role": "user", "content": prompt}]
    reply = client.chat.completions.create(model="m", messages=messages)  # pyright: ignore
    return reply.choices[0].message.content


def test_the_sdk_itself_is_recorded_and_replayed(tmp_path: Path, loopback: LoopbackServer) -> None:
    """Code that calls openai is answered from the file, streams too, with no server and no key."""
    loopback.plays(whole("Hello."), saying(head(), delta("Hel"), delta("lo.", "stop"), usage(1, 2)))

    def both(client: OpenAI) -> tuple[str | None, str]:
        messages = [{"role": "user", "content": "Hi"}]
        stream = client.chat.completions.create(model="m", messages=messages, stream=True)  # pyright: ignore
        return ask(client, "Hi"), "".join(c.choices[0].delta.content for c in stream if c.choices)

    loopback.scripts.reverse()
    with wire_cassettes(tmp_path).use_cassette("calls.yaml"):
        said = both(client_of(loopback))
    loopback.plays(whole("must not be asked"))
    with wire_cassettes(tmp_path, record_mode="none").use_cassette("calls.yaml"):
        assert (
            both(OpenAI(api_key="none", base_url=loopback.base_url)) == said == ("Hello.", "Hello.")
        )
    assert loopback.exchanges == []


def test_requests_are_told_apart_by_their_bodies(tmp_path: Path, loopback: LoopbackServer) -> None:
    """The order of calls does not matter, and another prompt is not answered."""
    from vcr.errors import CannotOverwriteExistingCassetteException

    loopback.plays(whole("one"), whole("two"))
    with wire_cassettes(tmp_path).use_cassette("calls.yaml"):
        ask(client_of(loopback), "1")
        ask(client_of(loopback), "2")
    with wire_cassettes(tmp_path, record_mode="none").use_cassette("calls.yaml"):
        assert [ask(client_of(loopback), n) for n in "21"] == ["two", "one"]
        with pytest.raises(CannotOverwriteExistingCassetteException, match="'content': '3'"):
            ask(client_of(loopback), "3")


def test_no_secret_is_written(tmp_path: Path, loopback: LoopbackServer) -> None:
    """Neither keys nor organisations, cookies nor request ids, wherever they stand."""
    kept = ["sid=secret-cookie", "req_secret1234567890"]
    loopback.plays(
        saying(
            head(kind="application/json", set_cookie=kept[0], x_request_id=kept[1],
                 openai_organization=ORGANISATION)
            + b'{"choices": [{"message": {"content": "Your key is %s."}}]}' % KEY.encode()
        )
    )  # fmt: skip
    with wire_cassettes(tmp_path).use_cassette("calls.yaml"):
        assert ask(client_of(loopback), f"My key is {KEY}.") == f"Your key is {KEY}."
    written = (tmp_path / "calls.yaml").read_text()
    for secret in (KEY, ORGANISATION, *kept):
        assert secret not in written
    assert "***" in written
