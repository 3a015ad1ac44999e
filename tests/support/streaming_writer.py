"""A process that streams into a conversation until it is killed."""

from __future__ import annotations

import sys
import time

from chatnb import AIMessageChunk, Conversation, HumanMessage


def main(name: str, seconds_a_chunk: float) -> None:
    """Ask and answer for ever; say on stdout what happened, before and after."""
    talk = Conversation(name)
    turn = 0
    while True:
        talk.add(HumanMessage(f"question {turn}"))
        draft = talk.begin_reply()
        for chunk in range(40):
            draft.append(AIMessageChunk(f"{chunk} "))
            print("chunk", turn, chunk, time.monotonic(), flush=True)
            time.sleep(seconds_a_chunk)
        draft.finish()
        print("done", turn, 0, time.monotonic(), flush=True)
        turn += 1


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
