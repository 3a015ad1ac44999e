"""The cost of a streamed reply on the wire, beside re-sending the text: `make bench`.

Each row runs a cell in a real kernel and counts every byte and message on IOPub. The peer is the
way most notebook chats stream: `update_display(Markdown(everything so far))` for every chunk.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kernel.driver import Kernel, Ran

SETUP = """\
%load_ext chatnb
from IPython.display import Markdown, display
from chatnb.chat_models import ScriptedChatModel

def stream(chunks):
    return ScriptedChatModel([["word! "] * chunks])
"""
OURS = "%%chat -m stream_{chunks} -c bench_{chunks}\nHi"
PEER = """\
text, shown = "", display(Markdown(""), display_id=True)
for chunk in stream({chunks}).stream("Hi"):
    text += chunk.content
    shown.update(Markdown(text))"""


def main() -> None:
    kernel = Kernel()
    try:
        kernel.run(SETUP)
        print("| chunks | way | messages | KB on IOPub | seconds |\n|---|---|---|---|---|")
        for chunks in (2_000, 20_000):
            kernel.run(f"stream_{chunks} = stream({chunks})")
            report(chunks, "%%chat", kernel, OURS.format(chunks=chunks))
            if chunks == 2_000:
                report(chunks, "update_display of all text", kernel, PEER.format(chunks=chunks))
    finally:
        kernel.close()


def report(chunks: int, way: str, kernel: Kernel, cell: str) -> None:
    started = time.perf_counter()
    ran: Ran = kernel.run(cell, timeout=300)
    seconds = time.perf_counter() - started
    kilobytes = ran.iopub_bytes / 1000
    print(f"| {chunks:,} | {way} | {len(ran.messages):,} | {kilobytes:,.0f} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
