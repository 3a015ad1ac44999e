"""Recording appends to the file: linear in the calls, whole after a kill, shared by processes."""

from __future__ import annotations

import resource
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chatnb.cassettes.cassette import Cassette
from chatnb.cassettes.cassette_file import CassetteFile
from chatnb.cassettes.entries import CassetteEntries
from chatnb.cassettes.yaml_file import parse_cassette
from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.errors import CassetteError
from chatnb.pytest_plugin.masks.cell_masks import CellMask, learn_part, mask_to_data
from chatnb.pytest_plugin.masks.learning import ReplyTexts
from chatnb.schema import AIMessage, BaseMessage
from tests.support.call_counting import calls_during

PROMPTS = [f"prompt {number}" for number in range(40)]


class Echo(BaseChatModel):
    """Says again what it was told."""

    model_name = "echo"

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        return AIMessage(f"{messages[-1].text}!")


class CountedFiles:
    """Counts what is written to cassettes."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.replaced = self.appended = self.bytes = 0
        append, replace = CassetteFile.append, CassetteFile.replace

        def counted_append(file: CassetteFile, text: str) -> None:
            self.appended += 1
            self.bytes += len(text.encode())
            append(file, text)

        def counted_replace(file: CassetteFile, texts: Any) -> None:
            written = list(texts)
            self.replaced += 1
            self.bytes += len("".join(written).encode())
            replace(file, written)

        patch.setattr(CassetteFile, "append", counted_append)
        patch.setattr(CassetteFile, "replace", counted_replace)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> CountedFiles:
    return CountedFiles(monkeypatch)


def record(path: Path, prompts: list[str], mode: Any = "record") -> None:
    with Cassette(path, mode):
        Echo().batch(prompts, {"max_concurrency": 1})


def assert_has(path: Path, prompts: list[str]) -> None:
    with Cassette(path, "replay"):
        assert [Echo().invoke(prompt).text for prompt in prompts] == [f"{p}!" for p in prompts]


@pytest.mark.parametrize("mode", ["record", "refresh"])
def test_what_is_written_grows_with_the_calls_and_not_with_the_file(
    tmp_path: Path, counted: CountedFiles, mode: str
) -> None:
    """Each call is written once, and a refreshed file once more at its end."""
    path = tmp_path / "calls.yaml"
    record(path, PROMPTS)
    counted.bytes = counted.replaced = 0
    record(path, PROMPTS if mode == "refresh" else [f"other {p}" for p in PROMPTS], mode)
    assert counted.replaced <= 1
    assert counted.bytes <= 2 * path.stat().st_size
    assert_has(path, PROMPTS)


def test_the_file_is_whole_after_each_call(tmp_path: Path) -> None:
    """A reader meanwhile has every call that has returned."""
    path, chat = tmp_path / "calls.yaml", Echo()
    with Cassette(path, "record"):
        for count in range(1, 6):
            chat.invoke(PROMPTS[count])
            assert path.read_text().count("\n- request:") == count


def test_a_kill_at_any_byte_of_an_append_loses_that_call_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its note outlives the process; what is torn is neither replayed nor appended to."""
    path = tmp_path / "calls.yaml"
    record(path, PROMPTS[:2])
    before = path.read_bytes()
    monkeypatch.setattr(Path, "unlink", lambda *args, **kwargs: None)  # The note stays: a kill.
    record(path, PROMPTS[2:3])
    monkeypatch.undo()
    after = path.read_bytes()
    for size in {*range(len(before), len(after), 7), len(after) - 1, len(after)}:
        note = CassetteFile(path)._in_temporary("append")
        note.write_text(f"{len(before)} {len(after)}")
        path.write_bytes(after[:size])
        kept = 3 if size == len(after) else 2
        assert_has(path, PROMPTS[:kept])
        with pytest.raises(CassetteError, match="has no reply to this request"):
            assert_has(path, [PROMPTS[kept]])
        record(path, PROMPTS[3:5])
        assert_has(path, [*PROMPTS[:2], *PROMPTS[3:5]])
    assert not note.exists()


def test_processes_that_record_in_turns_append(tmp_path: Path, counted: CountedFiles) -> None:
    """Each reads only what the others have appended, and no call is lost."""
    path = tmp_path / "calls.yaml"
    first, second = Cassette(path, "record"), Cassette(path, "record")
    for prompt in PROMPTS:
        with first:
            Echo().invoke(f"one {prompt}")
        with second:
            Echo().invoke(f"two {prompt}")
    assert counted.replaced <= 2
    assert_has(path, [f"{who} {prompt}" for who in ("one", "two") for prompt in PROMPTS])


def test_what_a_process_notes_of_a_notebook_stays_when_another_writes(tmp_path: Path) -> None:
    """The default model, the moment, the masks and the outputs, by whichever process."""
    path = tmp_path / "calls.yaml"
    record(path, PROMPTS[:1])
    first, second = CassetteEntries(path), CassetteEntries(path)
    for entries in (first, second):
        entries.load()
    learned = learn_part("took 1 s\n", ["took 2 s\n"], ReplyTexts())
    masks = [mask_to_data(0, None, CellMask({"stdout": learned}))]
    first.note_varying(masks)
    assert parse_cassette(path.read_text(), str(path)).varies == masks
    first.note_default("openai:m")
    first.note_moment("2026-01-02T05:37:18+00:00")
    second.note_outputs([{"cell": 1, "outputs": []}])
    first.note_default("openai:n")
    kept = parse_cassette(path.read_text(), str(path))
    assert (kept.default_model, kept.varies) == ("openai:n", masks)
    assert kept.recorded_at == "2026-01-02T05:37:18+00:00"
    assert kept.outputs == [{"cell": 1, "outputs": []}]
    assert_has(path, PROMPTS[:1])


def test_calls_of_threads_are_in_the_order_of_their_start_at_the_end(tmp_path: Path) -> None:
    """They are appended as they end, and put in order when the cassette is closed."""
    path = tmp_path / "calls.yaml"
    with Cassette(path, "record") as cassette:
        calls = [cassette.call(Echo(), [], None, {"n": text}, streamed=False) for text in "abc"]
        with ThreadPoolExecutor() as threads:
            for call in reversed(calls):
                threads.submit(call.record_replies, []).result()
    text = path.read_text()
    assert text.index("{n: a}") < text.index("{n: b}") < text.index("{n: c}")


def test_a_file_that_was_edited_is_written_anew(tmp_path: Path) -> None:
    """Nothing is appended to what has another form, such as calls in brackets."""
    path = tmp_path / "calls.yaml"
    path.write_text("chatnb_cassette: 1\ncalls: []\n# the end")
    record(path, PROMPTS[:2])
    assert_has(path, PROMPTS[:2])


def test_a_full_disk_is_an_error_of_the_cassette(tmp_path: Path) -> None:
    """It names the file, and what was written of the call is taken back."""
    path = tmp_path / "calls.yaml"
    record(path, PROMPTS[:1])
    before = path.read_bytes()
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Cassette(path, "record"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 9, unlimited[1]))
        try:
            with pytest.raises(CassetteError, match=r"calls\.yaml cannot be written: .*disk full"):
                Echo().invoke(PROMPTS[1])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        assert path.read_bytes() == before
        Echo().invoke(PROMPTS[2])
    assert_has(path, [PROMPTS[0], PROMPTS[2]])


BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
CALL = "chatnb_cassette: 1\ncalls:\n- request: {messages: [{human: Hi}]}\n  "
HOSTILE = [
    f"chatnb_cassette: 1\n{BOMB}calls: []\n",
    "chatnb_cassette: 1\ncalls: &a\n- *a\n",
    f"chatnb_cassette: 1\ncalls: {'[' * 100_000}\n",
    f"chatnb_cassette: 1\ncalls: {'- ' * 5_000}\n",
    f"chatnb_cassette: {'9' * 5_000}\n",
    "chatnb_cassette: 1\n? [a]\n: b\n",
    "chatnb_cassette: 1\ndefault_model: 7\n",
    'chatnb_cassette: 1\ndefault_model: "a\\nb"\n',
    "chatnb_cassette: 1\ncalls: 2026-99-99\n",
    "chatnb_cassette: 1\ncalls: [7]\n",
    "chatnb_cassette: 1\ncalls:\n- request: {messages: 7}\n  replies: []\n",
    "chatnb_cassette: 1\ncalls:\n- request: 7\n  replies: []\n",
    f"{CALL}replies: [{{text: 7}}]\n",
    f"{CALL}replies: [{{text: a, usage_metadata: {{input_tokens: -1}}}}]\n",
    f"{CALL}replies: [{{text: a, tool_calls: [7]}}]\n",
    f"{CALL}replies: [{{text: a}}]\n  after_ms: [.inf]\n",
    f"{CALL}replies: [{{text: a}}]\n  after_ms: [-1]\n",
    f"{CALL}stream: {{text: abc, pieces: [5, -2], after_ms: [0, 0]}}\n",
    f"{CALL}stream: {{text: [a], pieces: [1], after_ms: [0]}}\n",
    f"{CALL}stream: {{text: a, pieces: [1], after_ms: [0], besides: [{{chunk: 0, name: 7}}]}}\n",
    f"{CALL}error: {{type: ServerError, message: 7}}\n",
    f"{CALL}error: {{type: ServerError, message: a, retry_after: x}}\n",
    f"{CALL}error: {{type: OSError, message: a}}\n",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_file_is_one_error_when_it_is_opened(tmp_path: Path, text: str) -> None:
    """Aliases, deep nesting and fields of other types: a short error that names the file."""
    path = tmp_path / "calls.yaml"
    path.write_text(text)
    with pytest.raises(CassetteError, match="Restore it from version control") as raised:
        Cassette(path, "replay")
    assert str(path) in str(raised.value)
    assert len(str(raised.value)) < 600


def test_the_locks_of_all_cassettes_are_a_bounded_number_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most 256 locks stay in the temporary folder, for any number of cassettes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for number in range(300):
        with CassetteFile(tmp_path / f"{number}.yaml").lock():
            pass
    assert 100 < len(list(tmp_path.iterdir())) <= 256


@pytest.mark.slow
def test_a_call_costs_no_more_after_many(tmp_path: Path) -> None:
    """Also that of a scripted model, which keeps what it was asked."""
    chat = ScriptedChatModel(["Hello."])
    with Cassette(tmp_path / "calls.yaml", "record"):
        chat.invoke("first")
        few = calls_during(lambda: chat.invoke("second"))
        for number in range(200):
            chat.invoke(f"prompt {number}")
        many = calls_during(lambda: chat.invoke("last"))
    assert sum(many.values()) < 1.2 * sum(few.values())
