"""Many guests, some of whom leave, and a provider that does everything wrong now and then: what is
ordered is always two Negronis at a time, nobody's memory is kept, and it ends clean."""
import contextlib
import http.client
import random
import threading

from node import until
from provider import (Answer, Endless, Provider, failure, openai_calls, openai_delta, openai_words, sse)

TWO = ("add_to_order", {"item_name": "Negroni", "quantity": 2})
GUESTS, TURNS, SESSIONS = 12, 25, 30


def mixed_up():
    """The second call comes first, in pieces, and what the first one's name is comes last."""
    def part(index, **function):
        return openai_delta({"tool_calls": [{"index": index, "id": f"c{index}",
                                             "function": function}]})
    return Answer([part(1, name="get_order", arguments=""), part(0, arguments='{"item_name":'),
                   part(1, arguments="{}"), part(0, arguments='"Negroni","quantity":2}'),
                   part(0, name="add_to_order"), openai_delta(finish="tool_calls"),
                   sse("[DONE]")])


def provider_of(seed):
    chance, lock = random.Random(seed), threading.Lock()

    def good(asked):
        if asked.json()["messages"][-1]["role"] == "tool" or chance.random() < .5:
            return openai_words("Two ", "Negronis. ", "There.")
        if chance.random() < .2:
            return mixed_up()
        return openai_calls(TWO, ("get_order", {}), first=["Hm. "] if chance.random() < .3 else ())

    def answer(asked):
        with lock:
            fine = good(asked)
            cut = chance.randrange(len(fine.pieces))
            return chance.choice([
                fine, fine, fine, fine, fine, fine, fine.bytewise(),
                fine.cut(cut), fine.cut(cut, "reset"), fine.cut(cut, "whole"),
                fine.cut(cut, "hang"),
                failure(chance.choice([400, 401, 429, 500, 503]),
                        headers={"retry-after-ms": str(chance.randrange(50))}),
                failure(429), Endless(openai_delta({"content": "on and on " * 400})),
                Answer([b"data: garbage\n\n"]),
                Answer([openai_delta({"content": "x " * 2000})] * 40 + [sse("[DONE]")])])

    return answer


def test_chaos(nodes):
    wrong, home = [], []

    def guest(n, seed):
        chance = random.Random(seed)
        for _ in range(TURNS):
            session = f"chaos-session-{chance.randrange(SESSIONS)}"
            if chance.random() < .5:
                reply = n.chat("two negronis please", session)
                lines = reply.json()["current_order"] if reply.status == 200 else []
                wrong.extend(line for line in lines if line["quantity"] % 2)
                if reply.status not in (200, 413, 429, 503):
                    wrong.append(reply)
                continue
            # Who reads too slowly for a session that is nearly full is cut off, and would come back.
            with n.stream("two negronis please", session) as s, \
                    contextlib.suppress(http.client.IncompleteRead):
                enough = chance.randrange(1, 12)
                for i, event in enumerate(s):
                    if i >= enough:
                        s.leave()
                        break
                    if event.json()["type"] == "complete":
                        wrong.extend(line for line in event.json()["current_order"]
                                     if line["quantity"] % 2)
        home.append(seed)

    with Provider(otherwise=provider_of(7)) as p:
        n = nodes({"MAYA_MIND": "openai", "MAYA_OPENAI_BASE_URL": p.url, "MAYA_MIND_RETRIES": "1",
                   "MAYA_SESSIONS_PER_CONTAINER": "60", "MAYA_DEFAULT_SESSION_MEMORY_MB": "0.3",
                   "MAYA_MIND_FIRST_SECONDS": "0.5", "MAYA_MIND_SILENCE_SECONDS": "0.4",
                   "MAYA_MIND_TURN_SECONDS": "3"})
        guests = [threading.Thread(target=guest, args=(n, seed)) for seed in range(GUESTS)]
        for g in guests:
            g.start()
        for g in guests:
            g.join()
        assert not wrong, wrong[:5]
        assert len(home) == GUESTS
        until("nobody is answered", lambda: n.metric("maya_turns_in_progress") == 0)
        assert n.metric("maya_mind_fallbacks_total") > 0

        def has_answered():
            """Where it came too late to all of them it was left alone for a while."""
            if n.metric("maya_mind_answers_total", mind="openai") > 0:
                return True
            n.chat("two negronis please", "chaos-session-at-last")
            return False

        until("an answer of the provider", has_answered)
