"""No value leaves with `%chat explain`, whatever form the code, the error or the variable has."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from chatnb.notebook import register
from chatnb.notebook.cell.failed_cell import failed_cell, last_error
from chatnb.notebook.cell.masking import Masks
from tests.support.recording_model import Asked


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.run_line_magic("xmode", "Minimal")  # To draw a traceback takes long.
    bare_shell.push({"model": Asked(["Ask a person."])})
    bare_shell.run_cell("%chat use model")
    return bare_shell


def model(shell: InteractiveShell) -> Asked:
    return shell.user_ns["model"]


PIECES = [*"'\"{}[](#\n\\!%=", "'''", "f'", '"""', "{{", "n=1"]
SECRET = "Vq7-kestrel.lantern_42"
SQL = """\
import sqlite3
from contextlib import closing
with closing(sqlite3.connect(':memory:')) as books:
"""
CELLS = [
    "api_key = 'X'\nraise ValueError(f'refused {api_key}')",
    "client = dict(api_key='X')\nclient['x']",
    "password: str = 'X'\n1 / 0",
    "settings = {'auth_token': 'X'}\n1 / 0",
    "import os\nos.environ['X_TOKEN'] = 'X'\nos.environ['X']",
    "url = 'https://ada:X@example.org'\n1 / 0",
    "x = 'ghp_Xxx'\n1 / 0 + len(x)",
    "from pydantic import SecretStr\nk = SecretStr('X')\nk + 1",
    "headers = {'Authorization': 'Bearer X'}\n1 / 0",
    'headers = {"Authorization": "Bearer X"}; headers["missing"]',
    "pw = 'X'\npw + 1",
    "pw='''X'''\nint(pw)",
    "def login(user, word): raise KeyError(word)\nlogin('ada', 'X')",
    "login('ada', 'X')",
    "1 / 0  # the password is X",
    "# X\n1 / 0",
    "dsn = 'postgresql://ada:X@db.example/books'\n1 / 0",
    "keys = ['X', 'other']\nkeys[7]",
    "keys = ('X',)\nkeys.append('X')",
    "keys = {'X'}\nkeys[0]",
    "users = {'X': 'ada'}\nusers['nobody']",
    "users = {}\nusers['X']",
    "a = b'X'\na.decode('nonsense')",
    "a = r'X'\n1 / 0",
    "a = u'X' 'X'\n1 / 0",
    "name = 'ada'\na = f'{name} X'\n1 / 0",
    "d = {'k': 1}\na = f'X {d[\"k\"]:>10} X'\n1 / 0",
    "a = f'{\"X\"!r}'\n1 / 0",
    'query = """\nselect 1 -- X\n"""\n1 / 0',
    'query = f"""\n X {1 / 0}\n"""',
    "def f(pw='X', *, n: 'X' = 1):\n    'Say X.'\n    return n / 0\nf()",
    "assert False, 'X'",
    "raise RuntimeError('X') from ValueError('X')",
    "try:\n    int('X')\nexcept ValueError:\n    1 / 0",
    "try:\n    int('X')\nexcept ValueError as error:\n    raise KeyError('X') from error",
    "raise ExceptionGroup('X', [ValueError('X')])",
    "error = ValueError('X')\nerror.add_note('X')\nraise error",
    "int('X')",
    "import json\njson.loads('X')",
    "open('X')",
    "import importlib\nimportlib.import_module('X')",
    "getattr(1, 'X')",
    "password = 'X",
    "password = 'X'\nfor",
    "password = ('X'",
    'password = """X',
    "%env TOKEN=X\n1 / 0",
    "%time int('X')",
    "out = !echo X\n1 / 0",
    "!echo X\n1 / 0",
    "%%time\nint('X')",
    "match 'X':\n    case 'X':\n        1 / 0",
    "lines = [\n    'X',\n    1 / 0,\n]",
    "import base64\nbase64.b64decode('X', validate=True)",
    "from pathlib import Path\nPath('X').read_text()",
    "class Vault:\n    token = 'X'\n    def __repr__(self): return 'X'\nVault().missing",
    "import re\nre.compile('X(')",
    "value = 'X'\nvalue.nothing",
    "values = dict(a='X')\ndel values['b']",
    f"{SQL}    books.execute('select X')",
    f"{SQL}    books.execute('select 1 from ' + 'X')",
    "from dateutil import parser\nparser.parse('X')",
    "import pandas\npandas.to_datetime('X')",
    "import pandas\npandas.to_datetime(['2026-01-01', 'X'], format='%Y-%m-%d')",
    "exec('raise ValueError(\"X\")')",
    "import sys\nsys.exit('X')",
    "raise SyntaxError('X', ('X', 1, 1, 'X'))",
    "import warnings\nwith warnings.catch_warnings():\n"
    "    warnings.simplefilter('error')\n    warnings.warn('X')",
    "from unittest import mock\nmock.Mock(side_effect=ValueError('X'))()",
    "import unittest\nunittest.TestCase().assertEqual('X', 'y')",
    "try:\n    raise ExceptionGroup('X', [KeyError('X'), OSError('X')])\n"
    "except* KeyError:\n    pass",
    "import asyncio\nasync def f():\n    future = asyncio.Future()\n"
    "    future.set_exception(KeyError('X'))\n    await future\nasyncio.run(f())",
    "%%bash\necho X\nexit 3",
    "import sys, types\nframe = sys._getframe()\n"
    "raise KeyError('X').with_traceback(types.TracebackType(None, frame, 10**6, 1))",
    "import concurrent.futures\nwith concurrent.futures.ThreadPoolExecutor() as pool:\n"
    "    pool.submit(KeyError('X').__reduce__()[0]).result()\n"
    "    future = concurrent.futures.Future()\n    future.set_exception(KeyError('X'))\n"
    "    future.result()",
    "import numpy\nnumpy.zeros(2, dtype=[('a', int)])['a', 'X']",
    "import polars\nkinds = polars.Series(['X'], dtype=polars.Enum(['X', 'other']))\nkinds.nothing",
    "import datetime\nf'{datetime.date(2026, 1, 1):%d X}' + 1",
    "class Odd:\n    shape, dtype = ('X',), 'X'\nodd = Odd()\nodd.nothing",
]
# Files with a text that nothing in the cell has, and the cells that cannot read them.
FILES = {
    "import pickle\nfrom pathlib import Path\nfrom tblib import pickling_support\n"
    "def f(): raise ValueError(Path('file').read_text())\ntry:\n    f()\n"
    "except ValueError as error:\n    pickling_support.install(error)\n"
    "    there = pickle.dumps(error)\nraise pickle.loads(there)": "X",
    "import yaml\nfrom pathlib import Path\nyaml.safe_load(Path('file').read_text())":
    "a:\n  password: X: b",
    "import pandas\nframe = pandas.read_csv('file')\nframe.merge(frame, on='n', validate='1:1')":
    "n\nX\nX\n",
    "import configparser\nconfigparser.ConfigParser().read('file')": "[a]\n X\nX\n",
}  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize("secret", [SECRET, "kestrel"])
def test_no_value_reaches_the_model(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """A text in any form stays here: in code, variables, messages and tracebacks."""
    as_name = ("users['X']", "os.environ['X']", "{'X': 'ada'}")  # Letters alone, these are names.
    leaks = list[str]()
    for form in CELLS:
        if secret.isalpha() and any(name in form for name in as_name):
            continue
        shell.run_cell(form.replace("X_TOKEN", "TOKEN").replace("X", secret), store_history=True)
        # What is known as a secret is redacted besides: the rule does without.
        monkeypatch.delenv("TOKEN", raising=False)
        error = last_error()
        assert error is not None
        leaks += [form] if secret in failed_cell(shell, error).to_markdown() else []
    assert leaks == []


@pytest.mark.parametrize("text", [SECRET, "kestrel", "Kestrel", "correct kestrel battery"])
@pytest.mark.parametrize("cell", FILES)
def test_nothing_of_a_file_reaches_the_model(
    shell: InteractiveShell, tmp_path: Path, cell: str, text: str
) -> None:
    """A package's error may show the line or the rows that it does not take."""
    file = tmp_path / "file"
    file.write_text(FILES[cell].replace("X", text), encoding="utf-8")
    shell.run_cell(cell.replace("'file'", repr(str(file))), store_history=True)
    error = last_error()
    assert error is not None
    assert not {"kestrel", "Kestrel"} & {*failed_cell(shell, error).to_markdown().split()}
    assert text not in failed_cell(shell, error).to_markdown()


def test_no_longer_number_reaches_the_model(shell: InteractiveShell) -> None:
    """A PIN or an account is masked in code and in messages; small and round numbers stay."""
    shell.run_cell("PIN = 4711\nrows = [1_000] * 12\nrows.index(PIN) + 0x1A2B3C")
    shell.run_cell("%chat explain")
    said = model(shell).prompt
    assert "[1_000] * 12" in said
    assert "4711" not in said
    assert "1A2B3C" not in said


def test_names_columns_and_words_of_messages_are_shown(shell: InteractiveShell) -> None:
    """Names, columns, types and Python's own words go, which help and are no values."""
    shell.run_cell(
        "class Table:\n    shape, columns = (1, 2), ['price', 'name']\n"
        "    def __getitem__(self, name): return {}[name]\n"
        "frame = Table()\n"
        "shown = frame['prize'] + {'unit': 'EUR'}",
        store_history=True,
    )
    shell.run_cell("%chat explain", store_history=True)
    said = model(shell).prompt
    assert "frame['prize'] + {'unit': '<3 characters, no. " in said
    assert "KeyError: 'prize'" in said
    assert "of shape (1, 2) with columns 'price', 'name'" in said
    shell.run_cell("'1' + 1", store_history=True)
    shell.run_cell("%chat explain", store_history=True)
    assert 'can only concatenate str (not "int") to str' in model(shell).prompt
    shell.run_cell("import pandas\nx = 'the elements'\npandas.Series([1], index=[1, 2])")
    shell.run_cell("%chat explain", store_history=True)
    assert "Length of values (1) does not match length of index (2)" in model(shell).prompt


def test_the_fixed_cell_has_the_values_again(shell: InteractiveShell) -> None:
    """The placeholders that the model keeps become what they stand for, quotes changed or not."""
    cell = 'key = \'a-b"c\'  # mine\nn = 4711\nt = f\'to {key}!\'\nq = """x\ny"""\n1 / 0'
    shell.run_cell(cell, store_history=True)
    error = last_error()
    assert error is not None
    failed = failed_cell(shell, error)
    assert failed.masks.restore(failed.source) == cell
    assert failed.masks.restore(failed.source.replace("'<7", '"<7')) == cell
    fixed = failed.source.replace("1 / 0", "1 / 1")
    shell.push({"fixer": Asked([f"```python\n{fixed}\n```"])})
    shell.run_cell("%chat use fixer")
    shell.run_cell("%chat fix", store_history=True)
    assert shell.rl_next_input == cell.replace("1 / 0", "1 / 1")


@pytest.mark.parametrize("command", ["explain", "fix"])
def test_show_sends_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """`--show` displays all that the model would get, and the same is sent without it."""
    shell.run_cell("word = 'secret-word'\nword / 2", store_history=True)
    capsys.readouterr()
    assert shell.run_cell(f"%chat {command} --show", store_history=True).success
    shown = capsys.readouterr().out
    assert "nothing has been sent" in shown
    assert model(shell).asked == []
    shell.run_cell(f"%chat {command}", store_history=True)
    assert all(message.text in shown for message in model(shell).asked[-1][0])
    shell.run_cell(f"%chat {command} --what")
    assert len(model(shell).asked) == 1


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join))
def test_any_text_can_be_masked(text: str) -> None:
    """Code that no parser takes keeps its lines, and comes back."""
    masks = Masks()
    masked = masks.code(text)
    assert masked.count("\n") == text.count("\n")


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["[", "f'{f\"{", "\n!", '{"\n', '["a",', "f'{x:"])
def test_long_texts_are_masked_in_linear_time(unit: str) -> None:
    """A hundred kilobytes of any token are masked without nested work."""
    Masks().code(unit * (100_000 // len(unit)))
