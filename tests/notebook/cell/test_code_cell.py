"""The code of a reply as the next cell."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook import register
from chatnb.notebook.cell.code_cell import code_cell


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    return bare_shell


def asked_for_code(shell: InteractiveShell, reply: str, line: str = "%%chat -m coder --code"):
    shell.push({"coder": ScriptedChatModel([reply])})
    shell.rl_next_input = None
    result = shell.run_cell(f"{line}\nWrite it.")
    return result.success, shell.rl_next_input


def test_the_code_is_the_next_cell_and_is_not_run(shell: InteractiveShell) -> None:
    """All blocks of Python, in order; nothing of them has run, and the reply is kept as ever."""
    reply = "First\n```python\nran = 1\n```\nand then\n```py\nprint(ran)\n```\nDone."
    success, put = asked_for_code(shell, reply)
    assert success
    assert put == "ran = 1\n\nprint(ran)"
    assert "ran" not in shell.user_ns
    assert shell.user_ns["_reply"].text == reply


def test_without_the_option_nothing_is_put_below(shell: InteractiveShell) -> None:
    """Only --code touches the cells below."""
    _, put = asked_for_code(shell, "```python\nx\n```", line="%%chat -m coder")
    assert put is None


@pytest.mark.parametrize(
    ("reply", "source"),
    [
        ("```bash\nls\n```", "%%bash\nls"),
        ("```sh\nls\n```", "%%bash\nls"),
        ("```html\n<b>Hi</b>\n```", "%%html\n<b>Hi</b>"),
        ("```js\nlet x\n```", "%%javascript\nlet x"),
        ("```{python}\nx = 1\n```", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("~~~python\nx = 1\n~~~", "x = 1"),
        ("1. Do\n   ```python\n   if x:\n       y()\n   ```", "if x:\n    y()"),
        ("```pycon\n>>> x = 1\n>>> if x:\n...     x\n...\n1\n```", "x = 1\nif x:\n    x\n"),
        ("```bash\npip install x\n```\n```python\nimport x\nx.work()\n```", "import x\nx.work()"),
        ("```bash\npip install x\npip install y\n```\n```py\nimport x\n```", "import x"),
        ("```json\n{}\n```\n```bash\nls -l\n```", "%%bash\nls -l"),
        ("```python\n%timeit f()\n```", "%timeit f()"),
        ('```json\n{"a": 1}\n```\n```sh\nls\n```\n```bash\npwd\n```', "%%bash\nls\n\npwd"),
        ("```console\n$ ls\nfile\n$ pwd\n```", "%%bash\nls\npwd"),
        ("```python\n%%time\nf()\n```\n```python\ng()\n```", "g()"),
        ("```python\n%%time\nf()\n```\n```python\n%%timeit\ng()\n```", "%%time\nf()"),
        ('- a\n\n  ```python title="x"\n      if x:\n          y()\n  ```', "if x:\n    y()"),
        ("```python:app.py\nx\n```\n```python,ignore\ny\n```", "x\n\ny"),
        ("```mermaid\ngraph\n```\n```html\n<b>\n```\n```py\nx\n```", "x"),
        ("> ```python\n> x = 1\n> ```", "x = 1"),
        ("```python\nx = 1", "x = 1"),
    ],
)
def test_blocks_become_what_ipython_runs(shell: InteractiveShell, reply: str, source: str) -> None:
    """The language is the fence's, or Python where there is none and it reads as Python; Python is
    taken, or else the language with the most code, which goes under its cell magic."""
    assert asked_for_code(shell, reply) == (True, source)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Just words.", "no code block"),
        ("```rust\nfn main() {}\n```", "is rust, which no cell magic here runs"),
        ("```\nnot python at all\n```", "names no language"),
        ("```python\n\n```", "no code block"),
    ],
)
def test_what_cannot_be_a_cell_is_said(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], reply: str, said: str
) -> None:
    """The reply stays, the cell does not fail, and a line says why there is no cell below."""
    assert asked_for_code(shell, reply) == (True, None)
    assert said in capsys.readouterr().out


def test_a_reply_that_broke_off_is_not_put_below(shell: InteractiveShell) -> None:
    """Half a program is no cell."""
    broken = ScriptedChatModel([["```python\nx = 1\n", ConnectionError("gone")]])
    shell.push({"broken": broken})
    assert not shell.run_cell("%%chat -m broken --code\nHi").success
    assert getattr(shell, "rl_next_input", None) is None


def test_a_language_of_another_extension_has_its_magic() -> None:
    """The shell's cell magics decide, not a list."""
    known = {"sql"}
    assert code_cell("```sql\nselect 1\n```", known.__contains__).source == "%%sql\nselect 1"
    assert code_cell("```sql\nselect 1\n```", set[str]().__contains__).source is None
