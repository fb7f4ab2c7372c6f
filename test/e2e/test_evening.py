"""An evening at the bar, over the wire: after every sentence, order, tab, tip and balance."""
import pytest

PRICES = {"Daiquiri": 10, "Martini": 13, "Old Fashioned": 12, "Negroni": 11, "Cosmopolitan": 12,
          "Tap Beer": 5, "IPA": 6, "Whiskey": 8, "Vodka": 7, "Gin": 8, "Rum": 7, "Tequila": 8,
          "Water": 1, "Lemonade": 2}


class Evening:
    """What the person and Maya agree on, kept apart from the program's own sums."""

    def __init__(self):
        self.order, self.balance, self.percent, self.amount = {}, 1000, None, 0

    def has(self, name, quantity, modifiers="no modifiers"):
        self.order.pop(name, None)
        if quantity:
            self.order[name] = (quantity, modifiers)

    @property
    def tab(self):
        return sum(PRICES[n] * q for n, (q, _) in self.order.items())

    @property
    def tip(self):
        return round(self.tab * self.percent / 100, 2) if self.percent else self.amount

    def pay(self):
        self.balance -= self.tab + self.tip
        self.order, self.percent, self.amount = {}, None, 0


def nothing(_):
    pass


def has(*line):
    return lambda e: e.has(*line)


def both(*changes):
    return lambda e: [c(e) for c in changes]


def tip(percent=None, amount=0):
    def change(e):
        e.percent, e.amount = percent, amount
    return change


EVENING = [
    ("Good evening!", nothing),
    ("What do you have?", nothing),
    ("How much is a Negroni?", nothing),
    ("I'd like two dry martinis, please", has("Martini", 2, "dry")),
    ("and an old fashioned on the rocks", has("Old Fashioned", 1, "on the rocks")),
    ("Actually, make that two", has("Old Fashioned", 2, "on the rocks")),
    ("Can you recommend something fruity?", nothing),
    ("A daiquiri for my friend here", has("Daiquiri", 1)),
    ("No, cancel the daiquiri", has("Daiquiri", 0)),
    ("What did I order so far?", nothing),
    ("Three IPAs and a lemonade", both(has("IPA", 3), has("Lemonade", 1))),
    ("One more lemonade", has("Lemonade", 2)),
    ("Please take one of the martinis off", has("Martini", 1, "dry")),
    ("How are you tonight?", nothing),
    ("a wiskey neat please", has("Whiskey", 1, "neat")),
    ("What's on my tab?", nothing),
    ("I want a cosmopoliton and two tap beers", both(has("Cosmopolitan", 1), has("Tap Beer", 2))),
    ("Remove one tap beer", has("Tap Beer", 1)),
    ("I'd like to leave a 20% tip", tip(percent=20)),
    ("Add a negroni", has("Negroni", 1)),
    ("Make the tip ten dollars instead", tip(amount=10)),
    ("What's my total?", nothing),
    ("Let's do 15 percent tip", tip(percent=15)),
    ("Do you have any wine?", nothing),
    ("What's in a Manhattan?", nothing),
    ("How much for a tequila?", nothing),
    ("Two tequilas then", has("Tequila", 2)),
    ("Forget the tequilas", has("Tequila", 0)),
    ("A vodka with a chaser please", has("Vodka", 1, "with a chaser")),
    ("Tell me something about the weather", nothing),
    ("and a glass of water", has("Water", 1)),
    ("no, make that three", has("Water", 3)),
    ("Change the whiskey to on the rocks", has("Whiskey", 1, "on the rocks")),
    ("A rum and a gin", both(has("Rum", 1), has("Gin", 1))),
    ("Drop the rum", has("Rum", 0)),
    ("Thanks, that was lovely", nothing),
    ("Can I have the bill?", nothing),
    ("I'll pay now", Evening.pay),
    ("One IPA for the road", has("IPA", 1)),
    ("Settle up please", Evening.pay),
]


def check(body, tab, want, said):
    got = {l["name"]: (l["quantity"], l["modifiers"]) for l in body["current_order"]}
    assert got == want.order, (said, body["response_text"])
    for line in body["current_order"]:
        assert line["price"] == PRICES[line["name"]] * line["quantity"]
    assert tab["tab_amount"] == want.tab, (said, body["response_text"])
    assert tab["tip_percentage"] == want.percent, (said, body["response_text"])
    assert tab["tip_amount"] == pytest.approx(want.tip), (said, body["response_text"])
    assert tab["balance"] == pytest.approx(want.balance - want.tab), (said, body["response_text"])
    summary = body["payment_summary"]
    assert summary == {k: tab[k] for k in summary}


def test_an_evening_of_forty_sentences(node):
    assert len(EVENING) >= 40
    want = Evening()
    for said, change in EVENING:
        body = node.say(said, "a-long-evening-01")
        change(want)
        check(body, node.tab("a-long-evening-01"), want, said)
    assert node.tab("a-long-evening-01")["status"] == "completed"


def test_the_same_evening_over_restarts_and_streams(nodes):
    """Every third sentence the process is killed; every second one goes over the stream."""
    node = nodes()
    want = Evening()
    for i, (said, change) in enumerate(EVENING):
        change(want)
        if i % 2:
            with node.stream(said, "a-hard-evening-01") as s:
                assert list(s)[-1].json()["type"] == "complete"
        else:
            node.say(said, "a-hard-evening-01")
        if i % 3 == 0:
            node.kill()
            node.start()
        tab = node.tab("a-hard-evening-01")
        assert tab["tab_amount"] == want.tab, said
        assert tab["balance"] == pytest.approx(want.balance - want.tab), said


def test_replies_vary_and_do_not_claim_what_was_not_done(node):
    said = [node.say("hello there", f"greeted-{i:08}")["response_text"] for i in range(12)]
    assert len(set(said)) > 1
    for text in ("ten unicorn milkshakes please", "a hundred thousand martinis please"):
        body = node.say(text, "asks-for-too-much")
        assert body["current_order"] == []
        assert "$1300000" not in body["response_text"]
