"""Code of failed cells as it leaves, and as it comes back: each kind of token."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnb.notebook.cell.masking import Masks

# Code, and what leaves of it.
MASKED: list[tuple[str, str]] = [
    (
        "x = 'ab'\ny = \"ab\" + 'c'",
        "x = '<2 characters, no. 0>'\ny = \"<2 characters, no. 0>\" + '<1 character, no. 1>'",
    ),
    ("x = ''", "x = ''"),
    ("x = 12", "x = 12"),
    ("x = 120", "x = 120"),
    ("x = 1200", "x = 1200"),
    ("x = 123", "x = _number_of_3_characters_no_0_"),
    ("x = 0.0012", "x = 0.0012"),
    ("x = 1e5", "x = 1e5"),
    ("x = 1234e5", "x = _number_of_6_characters_no_0_"),
    ("x = 0xff", "x = _number_of_4_characters_no_0_"),
    ("x = 0xffa", "x = _number_of_5_characters_no_0_"),
    ("x = 12j", "x = 12j"),
    ("x = 1_000_001", "x = _number_of_9_characters_no_0_"),
    ("# a b", "# <3 characters, no. 0>"),
    ("#", "#"),
    ("x # y", "x # <1 character, no. 0>"),
    ("#  \ny", "#\ny"),
    ("row['city']", "row['city']"),
    ("row[ 'city' ]", "row[ 'city' ]"),
    ("row['a b']", "row['<3 characters, no. 0>']"),
    ("row['a' + x]", "row['<1 character, no. 0>' + x]"),
    ("row[x, 'city']", "row[x, '<4 characters, no. 0>']"),
    ("f(x)['city']", "f(x)['city']"),
    ("m[0]['city']", "m[0]['city']"),
    ("in ['city']", "in ['<4 characters, no. 0>']"),
    ("['city']", "['<4 characters, no. 0>']"),
    ("x = ['city']", "x = ['<4 characters, no. 0>']"),
    ("return ['city']", "return ['<4 characters, no. 0>']"),
    ("{'city': 'Oslo'}", "{'city': '<4 characters, no. 0>'}"),
    ("{'city'}", "{'<4 characters, no. 0>'}"),
    ("dict(city='Oslo')", "dict(city='<4 characters, no. 0>')"),
    ("{'a1': 1}", "{'<2 characters, no. 0>': 1}"),
    ("{'city' : f(['x'])}", "{'city' : f(['<1 character, no. 0>'])}"),
    ("f({'city': 1})", "f({'city': 1})"),
    ("{('city'): 1}", "{('<4 characters, no. 0>'): 1}"),
    (
        "x['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']",
        "x['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']",
    ),
    ("x['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa']", "x['<41 characters, no. 0>']"),
    ("'''a\nb'''", "'''<3 characters, no. 0>\n'''"),
    ("'open", "'<4 characters, no. 0>'"),
    ("'open\nx", "'<4 characters, no. 0>'\nx"),
    ("'''open\nx", "'''<6 characters, no. 0>\n'''"),
    ("'a\\'b'", "'<4 characters, no. 0>'"),
    ("r'a\\'", "r'<2 characters, no. 0>'"),
    ("b'ab'", "b'<2 characters, no. 0>'"),
    ("rb'ab'", "rb'<2 characters, no. 0>'"),
    ("Rb'ab'", "Rb'<2 characters, no. 0>'"),
    ("xb'ab'", "xb'<2 characters, no. 0>'"),
    ("f'a{x}b'", "f'<1 character, no. 0>{x}<1 character, no. 1>'"),
    ("f'{x}'", "f'{x}'"),
    ("f'{x:>10}'", "f'{x:>10}'"),
    ("f'{x:,.2f} {d:%d.%m.%Y %H:%M}'", "f'{x:,.2f} {d:%d.%m.%Y %H:%M}'"),
    ("f'{d:%Y in Oslo}'", "f'{d:<10 characters, no. 0>}'"),
    ("f'{x!r:ab>{n}}'", "f'{x!r:<3 characters, no. 0>{n}}'"),
    ("f'{(lambda y: y)(x):{\"ab\"}>5}'", "f'{(lambda y: y)(x):{\"<2 characters, no. 0>\"}>5}'"),
    ("f'{x:>{n}.2f}'", "f'{x:>{n}.2f}'"),
    ("f'{d[\"key\"]}'", "f'{d[\"key\"]}'"),
    ("f'{{x}}'", "f'<5 characters, no. 0>'"),
    ("f'a{{{x}}}'", "f'<3 characters, no. 0>{x}<2 characters, no. 1>'"),
    ("f'{x!r}c'", "f'{x!r}<1 character, no. 0>'"),
    ("f'{f\"in{y}\"}'", "f'{f\"<2 characters, no. 0>{y}\"}'"),
    ("f'{x", "f'{x"),
    ("f'a{x}", "f'<1 character, no. 0>{x}"),
    ("f'''a\n{x}\nb'''", "f'''<2 characters, no. 0>\n{x}<2 characters, no. 1>\n'''"),
    ("f' {x} '", "f' {x} '"),
    ("f'{d[\"a b\"]}'", "f'{d[\"<3 characters, no. 0>\"]}'"),
    ("t'a{x}'", "t'<1 character, no. 0>{x}'"),
    ("!ls -l", "! <5 characters, no. 0>"),
    ("x = !ls -l", "x = ! <5 characters, no. 0>"),
    ("  !ls", "  ! <2 characters, no. 0>"),
    ("%cd /tmp", "%cd <4 characters, no. 0>"),
    ("%time x = 'ab'", "%time x = '<2 characters, no. 0>'"),
    ("%%bash\nls\npwd", "%%bash\n<6 characters, no. 0>\n"),
    ("%%time\nx = 'ab'", "%%time\nx = '<2 characters, no. 0>'"),
    ("  %%html\n<b>", "  %%html\n<3 characters, no. 0>"),
    ("a % b", "a % b"),
    ("a %= b", "a %= b"),
    ("x != y", "x != y"),
    ("%cd", "%cd"),
    ("!", "!"),
    ("x = %who str", "x = %who <3 characters, no. 0>"),
    ("a\n%cd b c\nb", "a\n%cd <3 characters, no. 0>\nb"),
    ("f(\n%x y\n)", "f(\n%x <1 character, no. 0>\n)"),
    ("!!ls", "!! <2 characters, no. 0>"),
    ("a \\\n 'b'", "a \\\n '<1 character, no. 0>'"),
    ("a.b(c)", "a.b(c)"),
    ("$?", "$?"),
    ("é = 'é'", "é = '<1 character, no. 0>'"),
    ("x['a'\n]", "x['a'\n]"),
    ("x = 3 if y else 'ab'", "x = 3 if y else '<2 characters, no. 0>'"),
    (
        "raise ValueError('ab')\n'ab'",
        "raise ValueError('<2 characters, no. 0>')\n'<2 characters, no. 0>'",
    ),
    (")'a'", ")'<1 character, no. 0>'"),
    ("(]'city']", "(]'<4 characters, no. 0>']"),
    (
        "x[{'city': ['k']}['city']]",
        "x[{'city': ['<1 character, no. 0>']}['<4 characters, no. 1>']]",
    ),
    ("%%bash", "%%bash"),
    ("%%bash -e\n\nls\n", "%%bash <6 characters, no. 0>\n\n\n"),
    ("x = f'hello'", "x = f'<5 characters, no. 0>'"),
    ("# Oslo\ncity = 'Oslo'", "# <4 characters, no. 0>\ncity = '<4 characters, no. 0>'"),
    (
        "x = b'ab'; y = 'ab'; z = u'ab'",
        "x = b'<2 characters, no. 0>'; y = '<2 characters, no. 1>'; z = u'<2 characters, no. 1>'",
    ),
    ("x = '1234'; y = 1234", "x = '<4 characters, no. 0>'; y = _number_of_4_characters_no_0_"),
    ("y = 1234; x = '1234'", "y = _number_of_4_characters_no_0_; x = '<4 characters, no. 0>'"),
    ("f'ab{z}'; x = 'ab'", "f'<2 characters, no. 0>{z}'; x = '<2 characters, no. 0>'"),
    ("r'\\d' '\\d'", "r'<2 characters, no. 0>' '<2 characters, no. 1>'"),
]
# Code that is not put back as it was, but means the same.
REWRITTEN: dict[str, str] = {
    "x = 'ab'\ny = \"ab\" + 'c'": "x = 'ab'\ny = 'ab' + 'c'",
    "#  \ny": "#\ny",
    "!ls -l": "! ls -l",
    "x = !ls -l": "x = ! ls -l",
    "  !ls": "  ! ls",
    "!!ls": "!! ls",
    "x = b'ab'; y = 'ab'; z = u'ab'": "x = b'ab'; y = 'ab'; z = 'ab'",
}


@pytest.mark.parametrize(("code", "masked"), MASKED)
def test_values_leave_as_placeholders(code: str, masked: str) -> None:
    """Of their length, with a number that equal values share, on the same lines."""
    masks = Masks()
    assert masks.code(code) == masked
    assert masks.restore(masked) == REWRITTEN.get(code, code)


VALUES = ["'ab'", '"ab"', "b'ab'", "f'ab{x}'", "'1234'", "1234", "'cd'", "{'ab': 1}", "x['ab']"]


@given(st.lists(st.sampled_from(VALUES), min_size=1), st.sampled_from(["", "# ab", "# 1234"]))
def test_restored_code_means_what_it_meant(values: list[str], comment: str) -> None:
    """A value may occur many times, and in any kind of token."""
    code = "\n".join([comment, *(f"y = {value}" for value in values)])
    masks = Masks()
    restored = masks.restore(masks.code(code))
    assert ast.dump(ast.parse(restored)) == ast.dump(ast.parse(code))


@pytest.mark.parametrize(
    ("code", "restored"),
    [
        ("x = '<2 characters, no. 0>'", "x = 'ab'"),
        ('x = b"<2 characters, no. 0>"', "x = 'ab'"),
        ("x = f'<2 characters, no. 0>{y}'", "x = f'ab{y}'"),
        ("x = '''<2 characters, no. 0>'''", "x = 'ab'"),
        ("x = '<2 characters, no. 2>'", "x = '<2 characters, no. 2>'"),
        ("x = '<2 characters, no. 9>'", "x = '<2 characters, no. 9>'"),
        ("x = '<2 characters>'", "x = '<2 characters>'"),
        ("x = _number_of_4_characters_no_1_", "x = 1234"),
        ("x = -_number_of_4_characters_no_1", "x = -1234"),
        ("x = _number_of_4_characters_no_9_", "x = _number_of_4_characters_no_9_"),
        ("# <2 characters, no. 0>", "# ab"),
    ],
)
def test_a_model_may_move_placeholders(code: str, restored: str) -> None:
    """One that it has made up stays as it is."""
    masks = Masks()
    masks.code("'ab' + 1234")
    assert masks.restore(code) == restored


CODE = "city = 'Oslo'\ntotal = 1234\nrow['price']"
VALUES_OF_VARIABLES = {"Paris": "where", "ab": "short", "city": "name"}
# Messages of errors, and what leaves of them.
MESSAGES: list[tuple[str, str]] = [
    ("name 'city' is not defined", "name 'city' is not defined"),
    (
        "could not convert string to float: 'Oslo'",
        "could not convert string to float: '<4 characters, no. 0>'",
    ),
    ("KeyError 'price'", "KeyError 'price'"),
    (
        "invalid literal for int() with base 10: 'Oslo'",
        "invalid literal for int() with base 10: '<4 characters, no. 0>'",
    ),
    ("column kestrel_42 was not found", "column <10 characters> was not found"),
    ("got 12 of 123", "got 12 of <3 characters>"),
    ("got 1.5", "got 1.5"),
    ("got 12.5, 120.0 and 1.25", "got <4 characters>, 120.0 and <4 characters>"),
    ("Unknown word: Oslo", "Unknown word: <4 characters, no. 0>"),
    ("Not there: the Oslo word", "Not there: the <4 characters, no. 0> word"),
    ("Not there: kestrel", "Not there: <7 characters>"),
    ("HTTP ERROR ABCDEFGHI", "HTTP ERROR <9 characters>"),
    ("camelCase word", "<9 characters> word"),
    ("averyveryverylongwordthatis", "<27 characters>"),
    ("'str' object has no attribute 'foo'", "'str' object has no attribute '<3 characters>'"),
    ('value `x y` and "a"', 'value `<3 characters>` and "<1 character>"'),
    ("don't do 'it'", "don't do '<2 characters>'"),
    ("a <b c> 'd'", "a <b c> '<1 character>'"),
    ("a: b: c", "a: b: c"),
    ("", ""),
    ("xxxxxxxxxxxxxxxxxxxxx", "<21 characters>"),
    ("xxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxx"),
    ("city.total", "city.total"),
    ("city.foo", "<8 characters>"),
    ("Paris is here", "<value of where> is here"),
    ("ab is here", "ab is here"),
    ("list.append() 'list.append'", "list.append() 'list.append'"),
    ("http://a.test/b?c=d", "<19 characters>"),
    ("12345!", "<5 characters>!"),
    ("b'Bergen' in b'price'", "b'<6 characters>' in b'price'"),
    ("(Oslo)", "(<4 characters, no. 0>)"),
    ("1.2.3", "<5 characters>"),
    ("'total' 'Oslo' 'nope'", "'total' '<4 characters, no. 0>' '<4 characters>'"),
]


@pytest.mark.parametrize(("message", "masked"), MESSAGES)
def test_messages_leave_without_values(message: str, masked: str) -> None:
    """Names of the code and plain words stay; what is quoted, a number or a value does not."""
    masks = Masks()
    masks.code(CODE)
    assert masks.message(message, ["foo2"], VALUES_OF_VARIABLES) == masked


def test_a_message_has_no_words_but_those_of_its_code() -> None:
    """Words stay if that code is known; others are data, even if they are plain."""
    masks, words = Masks(), {"expected", "found"}
    assert masks.message("Expected total: found Oslo and price", ["total"], {}, words) == (
        "Expected total: found <4 characters> <3 characters> <5 characters>"
    )


def test_no_line_of_a_literal_is_left_in_a_message() -> None:
    """As in the snippet of a text that cannot be parsed."""
    masks = Masks()
    masks.code('text = """\n  the first line\n  another\n"""; row[\'another\']')
    assert masks.message("no end: of another\nof\n the first line of it", (), {}) == (
        "no end: of another\nof\n <14 characters, no. 0> of it"
    )
