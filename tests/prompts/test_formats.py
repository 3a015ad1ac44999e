"""Templates in f-string style, Mustache and Jinja."""

from __future__ import annotations

import pickle
import sys
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.prompts import ChatPromptTemplate as LangChainPrompt
from langchain_core.utils import mustache as langchain_mustache

from chatnb.chat_models import ChatOpenAI
from chatnb.errors import ConfigurationError
from chatnb.prompts import ChatPromptTemplate, MissingVariableError, PromptTemplate
from chatnb.prompts.formatting import TemplateFormat
from tests.support.hangs import is_linear

VALUES: dict[str, Any] = {
    "x": '<a> & "b"',
    "n": 0,
    "none": None,
    "yes": True,
    "no": False,
    "xs": [1, 2],
    "rows": [{"a": "p"}, {"a": "q", "inner": {"b": "deep"}}],
    "d": {"a": {"b": "c"}},
}


@pytest.mark.parametrize(
    "text",
    [
        "plain } { text",
        "{{x}} {{{x}}} {{&x}} {{ x }} {{{ x }}}",
        "{{n}}{{none}}{{no}}",
        "{{#xs}}[{{.}}]{{/xs}}",
        "{{#rows}}{{a}}{{inner.b}};{{/rows}}",
        "{{^no}}none{{/no}}{{^yes}}never{{/yes}}{{#no}}never{{/no}}",
        "{{#d}}{{a.b}}{{x}}{{/d}}{{d.a.b}}{{xs.1}}",
        "{{xs.0}}{{xs.2}}{{xs.a}}{{x.0}}",
        "a{{! a comment }}b\n{{! alone }}\nc",
        "a\n  {{#yes}}\n  b\n  {{/yes}}\nc\n",
        "{{#yes}}{{#rows}}\n{{a}}\n{{/rows}}{{/yes}}",
        " {{#yes}} x {{/yes}} \n",
        "{{=<% %>=}}<% x %> {{x}} <%={{ }}=%>{{n}}",
        '{"json": {{n}}}',
    ],
)
def test_mustache_is_that_of_langchain(text: str) -> None:
    """Every tag gives what LangChain's renderer gives."""
    template = PromptTemplate(text, template_format="mustache")
    assert template.format(**VALUES) == langchain_mustache.render(text, VALUES)
    theirs = LangChainPrompt.from_template(text, template_format="mustache").input_variables
    assert sorted(template.input_variables) == sorted(theirs)


@given(st.lists(st.sampled_from(["{{#s}}", "{{/s}}", "{{x}}", "{{^s}}", "\n", " ", "a", "{{!c}}"])))
@example(["{{#s}}", "{{^s}}", "{{/s}}", "{{/s}}", "{{#s}}"])
@example(["{{#s}}", "{{^s}}", "{{/s}}", "{{/s}}", "{{x}}"])
@example(["{{#s}}", "{{^s}}", "{{/s}}", "{{x}}", "{{/s}}"])
@settings(max_examples=40, deadline=None)
def test_any_mixture_of_tags_renders_or_is_refused(parts: list[str]) -> None:
    """A text is a template, and then renders as LangChain's does, or a ValueError.

    Blanks aside: LangChain keeps those after a last tag that is alone on its line.
    """
    text = "".join(parts)
    try:
        template = PromptTemplate(text, template_format="mustache")
    except ValueError:
        # LangChain's own fails with an IndexError where a tag ends more sections than are open.
        with pytest.raises((langchain_mustache.ChevronError, IndexError)):
            langchain_mustache.render(text, {"s": [1, 2], "x": "v"})
        return
    values = {"s": [1, 2], "x": "v"}
    own = template.format(**values)
    # With an inverted section in one of the same name LangChain's own fails, or ends too early.
    if not has_inverted_section_in_section(parts):
        assert own.split() == langchain_mustache.render(text, values).split()


def has_inverted_section_in_section(tags: list[str]) -> bool:
    """Return whether an inverted section stands within a section, where all have one name."""
    opened = list[str]()
    for tag in tags:
        if tag == "{{^s}}" and "{{#s}}" in opened:
            return True
        if tag in ("{{#s}}", "{{^s}}"):
            opened.append(tag)
        elif tag == "{{/s}}":
            opened.pop()
    return False


def test_an_inverted_section_in_one_of_its_name_is_left_out() -> None:
    """The section goes on after it, for each item, as the specification of Mustache says."""
    template = PromptTemplate("{{#s}}{{^s}}a{{/s}}{{x}}{{/s}}", template_format="mustache")
    assert template.format(s=[1, 2], x="v") == "vv"


@pytest.mark.parametrize(
    ("format", "text", "said"),
    [
        ("mustache", "{{x", "no end"),
        ("mustache", "{{#a}}", "has no {{/a}}"),
        ("mustache", "{{#a}}{{/b}}", "ends no section"),
        ("mustache", "{{/a}}", "ends no section"),
        ("mustache", "{{>file}}", "no partials"),
        ("mustache", "{{a b}}", "not the name of a variable"),
        ("mustache", "{{}}", "not the name of a variable"),
        ("mustache", "{{=x=}}", "two delimiters"),
        ("mustache", "{{#a}}" * 5000, "nested more than"),
        ("mustache", "{{" * 50_000, "no end"),
        ("jinja2", "{{ x", "not a Jinja template"),
        ("jinja2", "{% if x %}", "not a Jinja template"),
        ("jinja2", "{% for %}", "not a Jinja template"),
        ("jinja2", "{" * 9000, "not a Jinja template"),
        ("jinja2", "{{ " + "-" * 9000 + "1 }}", "not a Jinja template"),
        ("jinja2", "{{ x" + "[0]" * 9000 + " }}", "not a Jinja template"),
        ("jinja2", "{% if x %}" * 5000 + "{% endif %}" * 5000, "not a Jinja template"),
        ("f-string", "{a.b}", "not the name of a variable"),
        ("fstring", "{a}", "f-string, mustache or jinja2"),
    ],
)
def test_what_is_no_template_is_refused(format: Any, text: str, said: str) -> None:
    """A text that cannot be read in its format is refused as the prompt is made."""
    for make in (PromptTemplate, ChatPromptTemplate.from_template):
        with pytest.raises(ValueError, match=said):
            make(text, template_format=format)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "unit"),
    [
        ("", "{{"),
        ("}}", "{{{"),
        ("{{x}}}}", "{{#"),
        ("{{=< >=}}> ", "<{"),
        ("", "{{x}} {{=<% %>=}}<%"),
    ],
)
def test_the_work_for_tags_without_an_end_grows_with_the_length(before: str, unit: str) -> None:
    """Each opening is looked at once, also where ends of tags stand before all of them."""

    def read(text: str) -> None:
        with suppress(ValueError):
            PromptTemplate(text, template_format="mustache")

    assert is_linear(read, unit, before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ x }}", '<a> & "b"'),
        ("{% for i in xs %}{{ loop.index }}:{{ i }} {% endfor %}", "1:1 2:2 "),
        ("{% for k, v in d.items() %}{{ k }}{{ v.a }}{% endfor %}", "ab"),
        ("{{ rows[1].inner.b.upper() }} {{ rows | length }} {{ n * 3 }}", "DEEP 2 0"),
        ("{% if yes %}{{ day.year }}{% else %}no{% endif %}", "2026"),
        ("{{ d.missing }}{{ '{:>3}'.format(n) }}", "  0"),
    ],
)
def test_jinja_reads_plain_data(text: str, expected: str) -> None:
    """Loops, conditions, filters and methods of texts, lists, dicts and dates work."""
    values = {**VALUES, "d": {"a": "b"} if "missing" in text else {"a": {"a": "b"}}}
    template = PromptTemplate(text, template_format="jinja2")
    given = {name: value for name, value in values.items() if name in template.input_variables}
    assert template.format(**given, day=date(2026, 1, 2)) == expected


class Holder:
    secret = "s3cret"

    def leak(self) -> str:
        return self.secret

    def __str__(self) -> str:
        return "shown"


@pytest.mark.parametrize(
    "text",
    [
        "{{ x.secret }}",
        "{{ x.leak() }}",
        "{{ x['secret'] }}",
        "{{ x | attr('secret') }}",
        "{{ xs | map(attribute='secret') | list }}",
        "{{ xs | map('attr', 'secret') | list }}",
        "{{ '{0.secret}'.format(x) }}",
        "{{ '{x.secret}'.format_map({'x': x}) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ x.__class__.__init__.__globals__ }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ model.openai_api_key }}",
        "{{ xs.append(1) }}",
        "{{ 'a' * 10 ** 12 }}",
        "{{ 10 ** 12 * 'a' }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ range(10 ** 9) | list }}",
        "{{ 'a'.ljust(10 ** 11) }}",
        "{{ 'a'.zfill(width) }}",
        "{{ 'a' | center(10 ** 11) }}",
        "{{ 'a\\nb' | indent(width=10 ** 11) }}",
        "{{ [1] | batch(10 ** 11, 'x') | list }}",
        "{{ '%100000000000d' % 1 }}",
        "{{ '%*d' % (10 ** 11, 1) }}",
        "{{ '%100000000000d' | format(1) }}",
        "{{ '{:>100000000000}'.format(1) }}",
        "{{ '{:>{}}'.format(1, 10 ** 11) }}",
        "{{ ('a' * 10 ** 6).replace('a', 'a' * 10 ** 6) | length }}",
        "{{ 'a' * 10 ** 6 | replace('a', 'a' * 10 ** 6) | length }}",
        "{{ [1] | tojson(indent=10 ** 11) }}",
        "{{ lipsum(n=10 ** 11) }}",
        "{% include 'file' %}",
        "{% import 'os' as os %}",
    ],
)
def test_jinja_is_a_sandbox(text: str) -> None:
    """A template reads no attribute of an object, changes nothing, and takes no memory."""
    x, xs = Holder(), [Holder()]
    values = {
        "x": x,
        "xs": xs,
        "width": 10**11,
        "model": ChatOpenAI(api_key="sk-s3cret", base_url="http://[::1]"),
    }
    prompt = ChatPromptTemplate.from_template(text, template_format="jinja2")
    given = {name: values[name] for name in prompt.input_variables}
    try:
        shown = prompt.format(**given)
    except ValueError as error:
        shown = str(error)
    assert "s3cret" not in shown
    assert "__globals__" not in shown or "unsafe" in shown or "undefined" in shown
    assert (len(xs), len(shown) < 500) == (1, True)
    assert PromptTemplate("{{ x }}", template_format="jinja2").format(x=x) == "shown"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ '{:,}'.format(n) }}", "5,000,000"),
        ("{{ '%d' % n }} {{ '%08.2f' | format(1.5) }}", "5000000 00001.50"),
        ("{{ '{:>5}|{n}'.format('a', n=n) }}", "    a|5000000"),
        ("{{ 'a'.ljust(3) }}|{{ 'a' | center(3) }}|{{ 'ab' | replace('a', 'c') }}", "a  | a |cb"),
        ("{{ n | tojson }} {{ [1, 2, 3] | batch(2) | list }}", "5000000 [[1, 2], [3]]"),
        ("{{ 10 % 3 }}", "1"),
        ("{{ '{a: b}'.replace('{', '(') }}", "(a: b}"),
    ],
)
def test_jinja_formats_large_numbers(text: str, shown: str) -> None:
    """A number is no width."""
    assert PromptTemplate(text, template_format="jinja2").format(n=5_000_000) == shown


def test_jinja_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jinja2 the error names the extra, and the other formats work."""
    from chatnb.prompts import jinja

    jinja._environment.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ConfigurationError, match=r"chatnb\[jinja2\]"):
        PromptTemplate("{{ x }}", template_format="jinja2")
    assert PromptTemplate("{{x}}", template_format="mustache").format(x=1) == "1"


@pytest.mark.parametrize(
    ("format", "text"), [("f-string", "Hi {x}"), ("mustache", "Hi {{x}}"), ("jinja2", "Hi {{ x }}")]
)
def test_formats_are_alike_to_those_who_fill_them(format: TemplateFormat, text: str) -> None:
    """Bare values, missing ones, partial ones, sums, parts and pickles work in each format."""
    prompt = ChatPromptTemplate(
        [("system", text), ("human", [{"type": "text", "text": text}])], template_format=format
    )
    prompt.append(("ai", text))
    texts = ["Hi 1"] * 3
    assert [message.text for message in prompt.invoke(1).to_messages()] == texts
    assert [m.text for m in pickle.loads(pickle.dumps(prompt)).format_messages(x=1)] == texts
    assert [m.text for m in prompt.partial(x=lambda: 1).format_messages()] == texts
    assert [m.text for m in prompt[1:].partial(x=2).format_messages(x=1)] == texts[1:]
    with pytest.raises(MissingVariableError, match="needs x"):
        prompt.invoke({})
    other = PromptTemplate(text, template_format=format)
    assert (other + text).format(x=1) == "Hi 1Hi 1"
    if format != "f-string":
        with pytest.raises(ValueError, match="cannot be one text"):
            PromptTemplate("a") + other
