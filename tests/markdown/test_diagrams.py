"""Mermaid diagrams are drawn only where nothing in them can fetch or act."""

from __future__ import annotations

import pytest

from chatnb.markdown.safe_markdown import safe_markdown

ORDINARY = [
    "graph TD\n  A[Docker image] -->|yes| B((b<br/>c))\n  B & C --> D{ok?}\n  A o--o B",
    "flowchart LR\n  %% a comment\n\n  subgraph one\n  a1-->a2\n  end\n  E -. text .-> F[$5: 10%]",
    "sequenceDiagram\n  participant A as Alice\n  A->>B: Hello, how are you?\n"
    "  Note right of B: thinks ✅\n  loop Every minute\n    B-->>A: Fine\n  end",
    "classDiagram\n  Animal <|-- Duck\n  Animal : +int age\n  class Duck {\n    +String beak\n"
    "    int age\n    +swim() void\n  }\n  <<interface>> Animal",
    'erDiagram\n  CUSTOMER ||--o{ ORDER : places\n  CUSTOMER {\n    string name PK "the key"\n'
    "    int age\n  }\n  CUSTOMER }|..|{ X : uses",
    'stateDiagram-v2\n  [*] --> Still\n  Still --> Moving : go\n  state "a name" as s2\n'
    "  state X {\n    a --> b\n  }",
    'pie title Pets\n  "Dogs" : 386\n  "Cats" : 85.9',
]
FETCHING = [
    'graph TD\n  click A "https:e.test"',
    "graph TD\n  A\n  CLICK A call x()",
    "graph TD\n  \ufeffclick A x",
    "graph TD\n  A; click A x",
    "graph TD\n  A@{ img: 'x.png' }",
    "graph TD\n  style A fill:url(/x)",
    "graph TD\n  classDef a fill:red\n  linkStyle 0 stroke:red",
    "graph TD\n  A[<img src=x>]",
    "graph TD\n  A[<b>x</b>]",
    "graph TD\n  A[#lt;img src=x#gt;]",
    "graph TD\n  A[&lt;img src=x&gt;]",
    'graph TD\n  A["`![x](/e.test)`"]',
    "graph TD\n  A[$$\\href{x}{y}$$]",
    "%%{init: {'theme': 'dark'}}%%\ngraph TD\n  A",
    "graph TD\n  A\n  %%{init: {}}%%",
    "---\nconfig: x\n---\ngraph TD\n  A",
    'sequenceDiagram\n  participant A\n  properties A: {"icon": "https:e.test/x"}',
    'sequenceDiagram\n  participant A\n  properties A: {"icon": "/logout"}',
    'sequenceDiagram\n  participant A\n  links A: {"x": "/logout"}',
    "sequenceDiagram\n  rect rgb(0, 0, 0)\n  end",
    'classDiagram\n  class A {\n  }\n  link A "/x"',
    "classDiagram\n  A : text {\n  style A fill:url(/x)\n  }",
    "classDiagram\n  namespace N {\n  style A fill:url(/x)\n  }",
    "erDiagram\n  title {\n  style A fill:url(/x)\n  }",
    'C4Context\n  Person(a, "x", $sprite="/e")',
    "architecture-beta\n  service x(icon)",
    "mindmap\n  root\n    ::icon(fa fa-book)",
    "",
]


@pytest.mark.parametrize("diagram", ORDINARY)
def test_an_ordinary_diagram_is_drawn(diagram: str) -> None:
    """The fence stays as it is."""
    text = f"So:\n\n```mermaid\n{diagram}\n```\n\nDone.\n"
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "~~~mermaid\ngraph TD\n~~~\n",
        "- a\n  ```python\n  x\n  ```\n\n```mermaid\ngraph TD\n```\n",
        "```mermaid\ngraph TD\n",
    ],
)
def test_a_diagram_is_drawn_whatever_other_fences_there_are(text: str) -> None:
    """As in the live view: beside code in a list, in tildes, and at the end of the reply."""
    assert safe_markdown(text) == text


@pytest.mark.parametrize("diagram", FETCHING)
def test_a_diagram_with_anything_else_is_shown_as_text(diagram: str) -> None:
    """Statements, types and characters outside the grammar make it a fence of text."""
    text = safe_markdown(f"```mermaid\n{diagram}\n```\n")
    assert text.startswith("```text mermaid\n")
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    "fence",
    [
        "- ```mermaid\n  graph TD\n  ```",
        "````mermaid\ngraph TD\n```\n````",
        "```mermaid\ngraph TD\n~~~\nclick A\n```",
        "~~~mermaid\ngraph TD\n~~~ x\nclick A\n~~~",
        "```mermaid\ngraph TD\n ```\nclick A\n```",
        "```mermaid\ngraph TD\n~~~\nA\n```",
        "```mermaid\ngraph TD\nA ~~~ B\n```",
        "~~~mermaid\ngraph TD\n```\nA\n~~~",
    ],
)
def test_a_diagram_whose_end_is_uncertain_is_shown_as_text(fence: str) -> None:
    """Renderers may read such a fence, and so the diagram, in different ways."""
    assert "text mermaid" in safe_markdown(fence)
