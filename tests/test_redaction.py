"""Redaction: every shape in the table, everywhere that text leaves the process."""

from __future__ import annotations

import json
import logging
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from chatnb.redaction import (
    REDACTED,
    SecretText,
    environment_secrets,
    hide,
    is_secret_name,
    redact,
    redact_errors,
    redact_value,
    secrets_in,
)
from chatnb.runnables import RunnableLambda
from chatnb.tracing import JSONLHandler, LoggingHandler
from tests.support.hangs import ends

_HEX = "0123456789abcdef" * 4
_LETTERS = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6" * 3

SECRETS = {
    "openai": f"sk-{_LETTERS[:48]}",
    "openai project": f"sk-proj-{_LETTERS[:40]}_{_LETTERS[:20]}",
    "openai organisation": f"org-{_LETTERS[:24]}",
    "anthropic": f"sk-ant-api03-{_LETTERS[:90]}-AA",
    "openrouter": f"sk-or-v1-{_HEX}",
    "stripe": f"sk_live_{_LETTERS[:24]}",
    "groq": f"gsk_{_LETTERS[:48]}",
    "xai": f"xai-{_LETTERS[:80]}",
    "perplexity": f"pplx-{_HEX[:48]}",
    "nvidia": f"nvapi-{_LETTERS[:60]}",
    "replicate": f"r8_{_LETTERS[:37]}",
    "hugging face": f"hf_{_LETTERS[:34]}",
    "langsmith": f"lsv2_pt_{_HEX[:32]}_{_HEX[:10]}",
    "google": f"AIza{_LETTERS[:35]}",
    "google oauth": f"ya29.{_LETTERS[:60]}",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "azure storage": f"AccountKey={_LETTERS[:86]}==",
    "github": f"ghp_{_LETTERS[:36]}",
    "github fine-grained": f"github_pat_{_LETTERS[:22]}_{_LETTERS[:59]}",
    "gitlab": f"glpat-{_LETTERS[:20]}",
    "slack": f"xoxb-{'1234567890' * 2}-{_LETTERS[:24]}",
    "slack webhook": f"https://hooks.slack.com/services/T00000000/B00000000/{_LETTERS[:24]}",
    "telegram": f"123456789:AA{_LETTERS[:33]}",
    "sendgrid": f"SG.{_LETTERS[:22]}.{_LETTERS[:43]}",
    "twilio": f"SK{_HEX[:32]}",
    "npm": f"npm_{_LETTERS[:36]}",
    "pypi": f"pypi-AgEIcHlwaS5vcmc{_LETTERS[:60]}",
    "databricks": f"dapi{_HEX[:32]}",
    "digitalocean": f"dop_v1_{_HEX}",
    "shopify": f"shpat_{_HEX[:32]}",
    "notion": f"ntn_{_LETTERS[:46]}",
    "grafana": f"glsa_{_LETTERS[:32]}_{_HEX[:8]}",
    "vault": f"hvs.{_LETTERS[:90]}",
    "cerebras": f"csk-{_LETTERS[:48]}",
    "jina": f"jina_{_LETTERS[:60]}",
    "voyage": f"pa-{_LETTERS[:43]}",
    "e2b": f"e2b_{_HEX[:40]}",
    "firecrawl": f"fc-{_HEX[:32]}",
    "brave search": f"BSA{_LETTERS[:28]}",
    "zhipu": f"{_HEX[:32]}.{_LETTERS[:16]}",
    "buildkite": f"bkua_{_HEX[:40]}",
    "circleci": f"CCIPAT_{_LETTERS[:22]}_{_HEX[:40]}",
    "prefect": f"pnu_{_LETTERS[:36]}",
    "sonar": f"sqp_{_HEX[:40]}",
    "vercel": f"vercel_blob_rw_{_LETTERS[:40]}",
    "clojars": f"CLOJARS_{_HEX[:60]}",
    "octopus": f"API-{_LETTERS[:26].upper()}",
    "fly": f"FlyV1 fm2_{_LETTERS[:100]}",
    "planetscale": f"pscale_tkn_{_LETTERS[:43]}",
    "render": f"rnd_{_LETTERS[:32]}",
    "scalingo": f"tk-us-{_LETTERS[:48]}",
    "mapbox": f"sk.{_LETTERS[:60]}.{_LETTERS[:22]}",
    "yandex": f"AQVN{_LETTERS[:35]}",
    "discord": f"MT{_LETTERS[:22]}.{_LETTERS[:6]}.{_LETTERS[:38]}",
    "meta": f"EAA{_LETTERS[:100]}",
    "hubspot": "pat-na1-01234567-89ab-cdef-0123-456789abcdef",
    "typeform": f"tfp_{_LETTERS[:59]}",
    "readme": f"rdme_{_LETTERS[:70]}",
    "adafruit": f"aio_{_LETTERS[:28]}",
    "intercom": f"dG9rO{_LETTERS[:54]}",
    "dynatrace": f"dt0c01.{_LETTERS[:24].upper()}.{_LETTERS[:64].upper()}",
    "harness": f"pat.{_LETTERS[:22]}.{_HEX[:24]}.{_LETTERS[:20]}",
    "launchdarkly": "sdk-01234567-89ab-cdef-0123-456789abcdef",
    "tailscale": f"tskey-auth-{_LETTERS[:12]}-{_LETTERS[:32]}",
    "resend": f"re_{_LETTERS[:8]}_{_LETTERS[:24]}",
    "neon": f"napi_{_LETTERS[:60]}",
    "netlify": f"nfp_{_LETTERS[:36]}",
    "brevo": f"xkeysib-{_HEX}-{_LETTERS[:16]}",
    "posthog": f"phx_{_LETTERS[:43]}",
    "sourcegraph": f"sgp_{_HEX[:40]}",
    "contentful": f"CFPAT-{_LETTERS[:43]}",
    "llamacloud": f"llx-{_LETTERS[:48]}",
    "runpod": f"rpa_{_LETTERS[:42]}",
    "anyscale": f"esecret_{_LETTERS[:26]}",
    "browserbase": f"bb_live_{_LETTERS[:27]}",
    "honeycomb": f"hcaik_{_LETTERS[:58]}",
    "alibaba": f"LTAI{_LETTERS[:20]}",
    "jfrog": f"AKCp{_LETTERS[:69]}",
    "cloudflare": f"v1.0-{_HEX[:24]}-{_HEX}",
    "shippo": f"shippo_live_{_HEX[:40]}",
    "easypost": f"EZAK{_LETTERS[:54]}",
    "plaid": "access-production-01234567-89ab-cdef-0123-456789abcdef",
    "openshift": f"sha256~{_LETTERS[:43]}",
    "mailchimp": f"{_HEX[:32]}-us12",
    "flutterwave": f"FLWSECK-{_HEX[:32]}-X",
    "gitlab runner": f"GR1348941{_LETTERS[:20]}",
    "session": f"JSESSIONID={_HEX[:32]}",
    "azure function": f"https://example.org/api/x?code={_LETTERS[:54]}==",
    "json web key": f'"d":"{_LETTERS[:43]}"',
    "putty": f"Private-Lines: 1\n{_LETTERS[:64]}",
    "token": f"Token {_LETTERS[:40]}",
    "curl": f"curl -u ada:{_LETTERS[:12]} ",
    "sshpass": f"sshpass -p {_LETTERS[:12]} ",
    "mysql": f"mysql -u root -p{_LETTERS[:12]} books",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "bearer": f"Bearer {_LETTERS[:30]}",
    "basic": "Basic YWRhOmh1bnRlcjIhIQ==",
    "address": "postgresql://ada:hunter2@db.example:5432/books",
    "private key": f"-----BEGIN RSA PRIVATE KEY-----\n{_LETTERS}\n-----END RSA PRIVATE KEY-----",
}

TEXTS = [
    "The skeleton key-value store keeps 4,000 tokens.",
    "a basic understanding of bearer documentation",
    'max_tokens=100, "key": "value", author="Ada Lovelace"',
    "task-2026-11-28-review-of-the-project and disk-0123456789abcdef0123",
    "https://example.org/a:b/c@d and git@example.org:books/one.git",
    "print(f'{token_count}') # tokens",
    "call_aB3dE6gH9jK2mN5pQ8sT1vW4 of chatcmpl-aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC and resp_0123456789ab",
    "toolu_01A09q90qw90lq917835lq9 fc_68af4030592c8196a0 msg_01XFDUDYJgAACzvnptvVoYEL",
    "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.tar.gz v1.2.3",
    "mysql -u root -p books; docker run -p 8080:80 -u 1000:1000 image; pa-rallel sdk-version",
    "curl -s https://example.org/a:b -o file; curl -u ada https://example.org",
]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_redacted_wherever_it_stands(name: str) -> None:
    """A secret of a known shape leaves nothing of itself in prose, code, JSON or an address."""
    secret = SECRETS[name]
    for frame in ("{}", "The key {} was rejected.", "key: '{}'", '{{"said": "{}"}}', "x?y={}&z=1"):
        text = redact(frame.format(secret), by_name=False)
        assert REDACTED in text
        assert secret not in text
        tail = secret.strip("-").split("/")[-1][-12:]
        assert tail not in text or "://" in secret or "PRIVATE" in secret


@pytest.mark.parametrize("text", TEXTS)
def test_ordinary_text_stays(text: str) -> None:
    """Words, times, addresses and counts that only resemble secrets are left alone."""
    assert redact(text) == text


@given(st.text(alphabet=string.printable, max_size=200), st.sampled_from(sorted(SECRETS)))
def test_redacting_twice_changes_nothing_more(text: str, name: str) -> None:
    """Redacted text is stable, so that a request in a cassette still equals its next recording."""
    once = redact(text + SECRETS[name] + text)
    assert redact(once) == once


def test_strings_under_secret_names_are_redacted_unless_they_must_keep_working() -> None:
    """`by_name` decides about strings that only their name gives away."""
    data = {"password": "hunter2", "city_key": "Rome", "rows": [{"api-key": "abcd", "n": 1}]}
    assert redact_value(data) == {
        "password": "***",
        "city_key": "***",
        "rows": [{"api-key": "***", "n": 1}],
    }
    assert redact_value(data, by_name=False) == data
    assert redact("db_password = 'hunter2'") == "db_password = '***'"


def test_errors_are_redacted_in_place() -> None:
    """The message, the arguments and plain attributes of an error lose the key."""
    error = ValueError("No such key: my-own-key")
    error.body = {"message": ["my-own-key"], "code": 401}  # type: ignore[attr-defined]
    redact_errors(["my-own-key"], error)
    assert str(error) == "No such key: ***"
    assert vars(error) == {"body": {"message": ["***"], "code": 401}}


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        ({"Authorization": "Bearer abc-def-ghi"}, "abc-def-ghi"),
        ({"proxy": "http://ada:hunter2@host:1/"}, "hunter2"),
        ({"proxy": "http://ada:p%40ssword@host"}, "p@ssword"),
        ({"proxy": "http://ada:pass/word-1@host"}, "pass/word-1"),
        ({"url": "https://host/v1?key=abc-def-ghi"}, "abc-def-ghi"),
        ({"passwords": [["abc-def-ghi"]]}, "abc-def-ghi"),
        ({"a": [{"db": {"pwd": "abc-def-ghi"}}]}, "abc-def-ghi"),
        ({"token": 'say "x"\n'}, 'say \\"x\\"'),
        ([SecretText("abc-def-ghi")], "abc-def-ghi"),
        ({"Cookie": "theme=dark; session=abc-def-ghi"}, "abc-def-ghi"),
        ({"Authorization": "Basic YWRhOmFiYy1kZWYtZ2hp"}, "abc-def-ghi"),
        ("http://abc-def-ghi@host", "abc-def-ghi"),
        ("Server=db;User=ada;Password={abc-def-ghi};", "abc-def-ghi"),
        ("host=db password='abc-def-ghi' user=ada", "abc-def-ghi"),
        ({"default_query": {"key": "abc-def-ghi"}}, "abc-def-ghi"),
        ({"auth": {"type": "api_key", "key": "abc-def-ghi"}}, "abc-def-ghi"),
    ],
)
def test_secrets_are_found_within_data(data: object, secret: str) -> None:
    """By names at any depth, by addresses, and in the forms in which texts write them."""
    assert secret in secrets_in(data)
    assert redact(f"<{secret}>", secrets_in(data)) == f"<{REDACTED}>"
    assert secret not in repr(hide(data))


each_wrap = pytest.mark.parametrize(
    "wrap", [lambda data: [data], lambda data: (data,), lambda data: {"a": data}]
)


@each_wrap
@pytest.mark.parametrize(
    "secret", [SecretStr("abc-def-ghi"), {"api_key": "abc-def-ghi"}, {"pwd": b"abc-def-ghi"}]
)
def test_secrets_are_found_at_thirty_two_levels(secret: Any, wrap: Callable[[Any], Any]) -> None:
    """Deeper data are no parameters of a call, and the walk through them ends."""
    for _ in range(31):
        assert secrets_in(secret) == {"abc-def-ghi"}
        secret = wrap(secret)
    assert secrets_in(secret) == {"abc-def-ghi"}
    assert secrets_in(wrap(secret)) == set()


@each_wrap
def test_secrets_are_hidden_at_thirty_two_levels(wrap: Callable[[Any], Any]) -> None:
    """As deep as they are found."""
    data: Any = {"api_key": "abc-def-ghi"}
    for _ in range(31):
        data = wrap(data)
        assert "abc-def-ghi" not in repr(hide(data))


def test_what_is_no_secret_stays_readable() -> None:
    """A traceback shows the parameters of a call that are no secrets, beside one that is."""
    options = {"model": "gpt-4o", "base_url": "http://127.0.0.1/v1", "stop": ["END", ("a", 1)]}
    data = {**options, "extra_headers": {"X-Team": "blue"}, "n": 2}
    assert repr(hide(data)) == repr(data)
    shown = repr(hide({**data, "api_key": "sk-very-secret"}))
    assert shown.startswith(repr(data)[:-1])
    assert "very-secret" not in shown


def test_secrets_may_be_bytes() -> None:
    """A password that a library takes as bytes is found, too."""
    assert secrets_in({"password": b"abc-def-ghi"}) == {"abc-def-ghi"}


def test_schemas_and_ports_hold_no_secrets() -> None:
    """The description of a field, a port and a path are ordinary text."""
    schema = {"properties": {"api_key": {"type": "string", "description": "The key of a door"}}}
    assert (
        secrets_in(schema, "http://localhost:8080/accounts/me@x", "http://[::1]:8080/@x") == set()
    )


@pytest.mark.parametrize(
    "data",
    [
        {"token": {"type": "string", "description": "The token of a door"}},
        {"token": {"type": ["string", "null"], "default": "the-first-one"}},
        {"auth": {"type": "system_identity"}},
        {"default_query": {"code": "germany", "keys": "all-of-them"}},
        "postgresql://librarian@db.example/books",
        "https://example.org/?code=one-of-them",
        "name=abc-def-ghi; other=abc-def-ghi",
        {"type": "object", "properties": {"token": "the-first-one"}},
    ],
)
def test_what_resembles_a_secret_is_none(data: Any) -> None:
    """Schemas, kinds of authentication, names of users and ordinary parameters."""
    assert secrets_in(data) == set()
    assert hide(data) is data


def test_a_binding_does_not_show_what_it_binds() -> None:
    """Its repr is the output of the cell that makes it."""
    step: RunnableLambda[str, str] = RunnableLambda(str)
    config: Any = {"configurable": {"api_key": "abc-def-ghi"}, "metadata": {"team": "blue"}}
    bound = step.with_config(config).bind(tools=[{"type": "mcp", "authorization": "abc-def-ghi"}])
    assert "abc-def-ghi" not in repr(bound)
    assert "blue" in repr(bound)


def test_short_words_are_no_secrets() -> None:
    """Servers that need no key are given words such as "none"; those stay in texts."""
    assert redact("none of them", ["none"]) == "none of them"
    assert secrets_in({"api_key": "none", "token": "long-enough"}) == {"long-enough"}


def test_the_environment_is_searched_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values under secret names count; files and sockets that only hold secrets do not."""
    monkeypatch.setenv("BOOKS_API_KEY", "books-and-more")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent.socket")
    for name in ("PWD", "OLDPWD"):
        monkeypatch.setenv(name, "/home/reader/notebooks")
    assert "books-and-more" in environment_secrets()
    assert environment_secrets().isdisjoint({"/run/agent.socket", "/home/reader/notebooks"})


@pytest.mark.parametrize(
    ("name", "secret"),
    [("OPENAI_API_KEY", True), ("db_password", True), ("author", False), ("keyboard", False)],
)
def test_names_of_secrets(name: str, secret: bool) -> None:
    """A name gives a secret away by its parts, not by letters within a word."""
    assert is_secret_name(name) is secret


def test_handlers_write_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Lines of a log and of a file of runs have `***` for a key in the input of a run."""
    key = SECRETS["openai"]
    path = tmp_path / "runs.jsonl"
    echo = RunnableLambda(lambda text: f"You sent: {text}")
    with JSONLHandler(path) as file, caplog.at_level(logging.DEBUG, "chatnb.runs"):
        handlers = [file, LoggingHandler(content=True)]
        assert echo.invoke(f"key: {key}", {"callbacks": handlers}) == f"You sent: key: {key}"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines[-1]["run"]["output"] == {"output": "You sent: key: ***"}
    assert key not in path.read_text(encoding="utf-8")
    assert "key: ***" in caplog.text
    assert key not in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "x",
        "x-",
        "a ",
        "a)",
        "a = ",
        "a='",
        "sk-",
        "org-",
        "proj_",
        "Bearer ",
        "eyJa.",
        "eyJ-",
        "token: a|",
        "token=a1b",
        "password ",
        "password: >",
        "api_key | ",
        "session=",
        "Private-Lines: 1\n",
        "pin:",
        "secret key",
        "://a:",
        "1//0",
    ],
)
def test_long_texts_without_a_secret_are_read_once(unit: str) -> None:
    """The body of an error may be a megabyte of anything: the work grows with its length only."""
    text = unit * (200_000 // len(unit))
    assert ends(lambda: redact(text), 60) == text


RANDOM = "Hq7zP0wLr2Xb9Kd4"
"""A secret of no issuer's shape, which its name alone tells."""


@pytest.mark.parametrize(
    "form",
    [
        "jdbc:sqlserver://host;user=sa;password={}; more",
        "Server=host;User ID=sa;Password={};",
        "host=db user=ada password={} dbname=x",
        "X-Api-Key: {}",
        "Authorization: Token {}",
        "Set-Cookie: session={}; Path=/",
        "https://host/?access_token={}&x=1",
        "export API_TOKEN={}",
        "api_key: {}",
        "--api-key={}",
        'api_key: str = "{}"',
        'api_key = """{}"""',
        "if (token := '{}'):",
        "https://{}@host/x.git",
        "curl -H 'Authorization: token {}'",
        '"api_key": ["{}"]',
        "| api_key | {} |",
        "api_key -> {}",
    ],
)
def test_a_named_secret_needs_no_quotation_marks(form: str) -> None:
    """In addresses of databases, headers, queries, environments and typed assignments."""
    text = form.format(RANDOM)
    clean = redact(text)
    assert RANDOM not in clean
    assert clean.startswith(text.partition(RANDOM)[0][:8])
    assert clean.endswith(text.partition(RANDOM)[2])


@pytest.mark.parametrize("secret", ["hunter2", "correct-horse-7", "p@sswort!", "Sommer2026"])
@pytest.mark.parametrize(
    "form",
    [
        "password={}",
        "PASSWORD: {}",
        "the password is {}, as always",
        "passphrase => {}",
        "DB_PASS={}",
        "pw = {}",
        "export CLIENT_SECRET={}",
        "--password {} --verbose",
        "--token {}",
        "machine host login ada password {}",
        "<password>{}</password>",
        '("password", "{}")',
        '{{\\"password\\": \\"{}\\"}}',
        "api key: {}",
        "AccountKey={};",
        "license_key={}",
        "the API key is: {}",
        "password: >\n  {}",
        "password: |-\n  {}\nuser: ada",
        "Passwort: {}",
        "\u043f\u0430\u0440\u043e\u043b\u044c: {}",
        "\u5bc6\u7801\uff1a{}",
    ],
)
def test_a_password_that_people_made_is_redacted(form: str, secret: str) -> None:
    """Short as it is, wherever a name says that it is one."""
    text = form.format(secret)
    clean = redact(text)
    assert secret not in clean
    assert clean.startswith(text.partition(secret)[0])
    assert redact(clean) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"password = '{RANDOM}'\nlogin('{RANDOM}')", "password = '***'\nlogin('***')"),
        (f"login('{RANDOM}')  # API_KEY={RANDOM}", "login('***')  # API_KEY=***"),
        ("the password is hunter2; hunter2!", "the password is ***; ***!"),
        ("token = 'auto'; automatic", "token = '***'; automatic"),
        ("password: Sommer!\nSommer!", "password: ***\nSommer!"),
        ("PIN: 4821, 14821 rows", "PIN: ***, 14821 rows"),
        ("auth = 'x9a_b1c2'; x9a_b1c2()", "auth = '***'; x9a_b1c2()"),
    ],
)
def test_a_named_secret_is_redacted_wherever_it_stands(text: str, clean: str) -> None:
    """Also where no name is beside it; words and numbers stay, which other texts contain."""
    assert redact(text) == clean


@pytest.mark.parametrize("text", ["PIN: 4821", "otp=482913", "the passcode is 004711"])
def test_a_number_may_be_a_password(text: str) -> None:
    """Under a name of such a number."""
    assert redact(text).endswith("***")


@pytest.mark.parametrize(
    "text",
    [
        "password=settings.db1.password",
        "password: see docs/auth2.md",
        "pass 1000 rows1 on to the next",
        "passwords_checked=1000",
        "secret_count: 12",
        "password=get_password1(user)",
        "The password was refused 3 times",
        "token = tokenizer.next_token(source)",
        "secret: the lock of the garden",
        "password=configuration.password",
        "max_tokens=1024, temperature=0.5",
        "token: int = 1_000_000_000_000",
        'def text(token: str = "", *, lines: int = 0) -> str:',
        "auth=sha256_of_value",
    ],
)
def test_words_and_names_of_programs_are_no_secrets(text: str) -> None:
    """They stay readable behind names of secrets, too."""
    assert redact(text) == text
