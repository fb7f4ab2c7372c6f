"""The page at "/" in a real browser. Runs against a Maya of its own, or the one in
MAYA_URL; every test goes through a proxy that can misbehave.

    /usr/bin/python3 -m pytest test/e2e/test_page.py
    MAYA_URL=http://127.0.0.1:8000 /usr/bin/python3 -m pytest test/e2e/test_page.py
"""
import json
import os
import pathlib
import shutil
import sys
import threading
import urllib.request
import warnings

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from test_reload import Reloaded  # noqa: E402
from node import PATIENCE_S  # noqa: E402
from unruly import Fault, Unruly, holds  # noqa: E402

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.common.exceptions import TimeoutException, WebDriverException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium")
WAIT_S = PATIENCE_S
PHONE = (360, 740)
DESK = (1280, 800)

pytestmark = pytest.mark.skipif(not (DRIVER and BROWSER), reason="no chromium with its driver")


@pytest.fixture(scope="module")
def maya_url(request):
    """The address in MAYA_URL, or a Maya of our own."""
    where = os.environ.get("MAYA_URL")
    yield where.rstrip("/") if where else request.getfixturevalue("node").url


@pytest.fixture
def proxy(maya_url):
    proxy = Unruly(maya_url)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", "--disable-background-networking", "--disable-sync",
                 "--disable-component-update",
                 "--lang=en-US", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service(DRIVER), options=options)
    yield driver
    driver.quit()


# For a test that failed.
SEEN = """return JSON.stringify([document.readyState, document.getElementById('state-text')?.textContent,
                                 document.visibilityState, performance.getEntriesByType('resource').map((e) =>
    [e.name, Math.round(e.startTime), Math.round(e.responseEnd), e.responseStatus]), Math.round(performance.now())])"""


class Page:
    def __init__(self, driver, url):
        self.driver, self.url = driver, url

    def size(self, width, height):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700})

    def media(self, **features):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()]})

    def open(self):
        """On a busy machine the proxy may lose a file of the page; then it is loaded once more, as
        by anybody who sees that it does not go on."""
        for last in (False, True):
            self.driver.get(self.url)
            try:
                return self.until(lambda: self.state() == "connected")
            except AssertionError as e:
                if last:
                    raise
                self.driver.get_log("browser")  # what was lost then is no fault of the next one
                warnings.warn(f"loaded once more: {e}", stacklevel=2)

    def until(self, condition, what=""):
        fault = None

        def holds(_):
            nonlocal fault
            try:
                return condition()
            except WebDriverException as e:  # a page that is just being left answers nothing
                fault = e
                return False

        try:
            return WebDriverWait(self.driver, WAIT_S, 0.03).until(holds, what)
        except TimeoutException:
            raise AssertionError(
                f"{what or 'it did not come about'}: {self.js(SEEN)} {fault or ''}") from None

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def later(self, script, *args):
        """Run a script that calls done(result)."""
        self.driver.set_script_timeout(WAIT_S)
        return self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];" + script, *args)

    def find(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def texts(self, css):
        return self.js("return [...document.querySelectorAll(arguments[0])]"
                       ".map((e) => e.textContent)", css)

    def text(self, css):
        return self.js("return document.querySelector(arguments[0])?.textContent ?? ''", css)

    def state(self):
        return self.text("#state-text")

    def idle(self):
        return self.until(lambda: self.js(
            "return document.getElementById('stop').hidden"
            " && document.querySelectorAll('.queued').length === 0"))

    def say(self, text):
        """Type it, send it, and wait for the end of the answer. Returns the answer."""
        self.find("#message").send_keys(text, Keys.ENTER)
        self.idle()
        return self.texts(".maya .words")[-1]

    def say_held(self, text, *faults):
        """The same with answers that are held back until what came of them is shown."""
        before = len(self.texts(".maya .words"))
        self.find("#message").send_keys(text, Keys.ENTER)
        for gate in [gate for fault in faults for gate in fault.hold.values()]:
            self.until(lambda: gate.said is not None and
                       [words.strip() for words in self.texts(".maya .words")[before:]] == [gate.said])
            gate.set()
        self.idle()
        return self.texts(".maya .words")[-1]

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.js("const e = document.activeElement; return e.id || e.textContent")

    def order(self):
        return self.texts("#order .name")

    def errors(self):
        return [e for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]


@pytest.fixture
def page(chromium, proxy):
    page = Page(chromium, proxy.url)
    page.size(*DESK)
    page.media()
    chromium.get_log("browser")
    # A test's port may be that of one before (of 7000, odds are one in five for all of them), and
    # with it what the browser kept of that one's session.
    chromium.execute_cdp_cmd("Storage.clearDataForOrigin",
                             {"origin": proxy.url, "storageTypes": "all"})
    page.open()
    return page


HISTORY = """
    fetch('/api/v1/session/history',
          {headers: {'X-Session-ID': localStorage.getItem('maya_session_id')}})
      .then((r) => r.json()).then(done);
"""


def server_order(page):
    """What the server itself says was ordered."""
    past = page.later(HISTORY)
    return [(i["name"].lower(), i["quantity"]) for i in past["current_order"]]


def last_reply(page):
    return page.later(HISTORY)["history"][-1]["content"]


def said_by_user(proxy):
    return [(method, headers.get("Idempotency-Key")) for method, _, headers, _ in proxy.messages()]


# What is shown at first


def test_shows_greeting_and_menu_without_an_error(page):
    assert page.text("#house") == "MOK 5-ha"
    assert len(page.texts(".maya .words")) == 1
    assert "Negroni" in page.texts("#menu-list .name")
    assert "$11.00" in page.texts("#menu-list .price")
    assert page.text("#balance") == "$1,000.00"
    assert page.errors() == []


def test_names_the_session_by_eight_characters(page):
    page.say("Hello there")
    kept = page.js("return localStorage.getItem('maya_session_id')")
    assert len(kept) > 8
    assert page.text("#session-id") == kept[:8]
    assert kept not in page.js("return document.body.innerText")


def test_shows_the_conversation_again_after_a_reload(page):
    page.say("A Negroni, please")
    before = page.texts(".words")
    page.open()
    assert page.texts(".words") == before
    assert [n.lower() for n in page.order()] == ["negroni"]


def test_what_could_not_be_loaded_can_be_asked_for_again(page, proxy):
    proxy.closed = {"/api/v1/menu"}
    page.driver.get(page.url)
    page.until(lambda: page.find("#reload").is_displayed())
    assert page.texts("#menu-list .name") == []
    assert len(page.texts(".maya .words")) == 1
    proxy.closed = set()
    page.find("#reload").click()
    page.until(lambda: page.state() == "connected")
    assert "Negroni" in page.texts("#menu-list .name")
    assert len(page.texts(".maya .words")) == 1
    assert not page.find("#reload").is_displayed()


# Words, order and money


def test_words_appear_as_they_come(page, proxy):
    page.js("""
        window.seen = [];
        new MutationObserver(() => {
          const all = document.querySelectorAll('.maya .words');
          const text = all[all.length - 1].textContent;
          if (all.length > 1 && text !== seen[seen.length - 1]) seen.push(text);
        }).observe(document.getElementById('log'),
                   {childList: true, subtree: true, characterData: true});
    """)
    proxy.faults = [Fault(hold=holds(2, 4))]
    reply = page.say_held("What do you recommend?", proxy.faults[0])
    seen = [s for s in page.js("return seen") if s]
    assert len(seen) >= 3
    assert seen[-1] == reply
    for shorter, longer in zip(seen, seen[1:]):
        assert longer.startswith(shorter)


# Maya's voice


SOUNDS = """
    window.sounds = [];
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (at) {
      this.loop = true;  /* none ends by itself before the test looks */
      sounds.push({ at, seconds: this.buffer.duration, stopped: false });
      const mine = sounds[sounds.length - 1];
      const stop = this.stop.bind(this);
      this.stop = () => { mine.stopped = true; stop(); };
      return start.call(this, at);
    };
"""


def test_silent_unless_asked(page, proxy):
    page.js(SOUNDS)
    assert page.find("#aloud").get_attribute("aria-pressed") == "false"
    page.say("hello there")
    assert page.js("return sounds") == []
    assert not any(b"audio" in (body or b"") for _, _, _, body in proxy.messages())


def test_reads_answers_aloud(page):
    page.js(SOUNDS)
    page.find("#aloud").click()
    assert page.find("#aloud").get_attribute("aria-pressed") == "true"
    reply = page.say("What do you recommend?")
    sentences = page.js("return document.getElementById('announce').childElementCount")
    page.until(lambda: len(page.js("return sounds")) == sentences)
    sounds = page.js("return sounds")
    assert reply and all(s["seconds"] > 0.3 for s in sounds)
    for a, b in zip(sounds, sounds[1:]):  # one after the other
        assert b["at"] >= a["at"] + a["seconds"] - 0.001
    page.find("#aloud").click()
    assert all(s["stopped"] for s in page.js("return sounds"))
    page.say("hello there")
    assert len(page.js("return sounds")) == len(sounds)
    assert not page.errors()


def test_a_new_message_ends_the_speech(page):
    page.js(SOUNDS)
    page.find("#aloud").click()
    page.say("What's on the menu?")
    page.until(lambda: len(page.js("return sounds")) > 1)
    page.find("#message").send_keys("hello there", Keys.ENTER)
    page.until(lambda: page.js("return sounds")[1]["stopped"])
    page.idle()
    page.until(lambda: not page.js("return sounds[sounds.length - 1].stopped"))
    page.press(Keys.ESCAPE)
    page.until(lambda: page.js("return sounds[sounds.length - 1].stopped"))
    assert not page.errors()


def test_order_tab_and_balance_follow_the_conversation(page):
    page.say("Two Martinis, dry, please")
    assert [n.lower() for n in page.order()] == ["2 × martini"]
    assert page.texts("#order .how") == ["dry"]
    assert page.text("#tab") == "$26.00"
    assert page.text("#due") == "$26.00"
    assert page.text("#balance") == "$974.00"
    assert page.text("#bill-count") == "2 drinks"
    page.say("An IPA, please")
    assert page.text("#tab") == "$32.00"


def test_tip_and_pay_by_button(page):
    assert not page.find("#pay").is_enabled()
    page.say("A Daiquiri, please")
    page.find("#tips [data-percent='20']").click()
    page.until(lambda: page.text("#tip") == "$2.00")
    assert page.text("#due") == "$12.00"
    assert page.find("#tips [data-percent='20']").get_attribute("aria-pressed") == "true"
    page.find("#pay").click()
    page.idle()
    assert page.texts(".user .words")[-1] == "I'd like to pay, please"
    page.until(lambda: page.text("#due") == "$0.00")


def test_a_tap_on_the_menu_orders(page):
    page.js("[...document.querySelectorAll('#menu-list button')]"
            ".find((b) => b.textContent.startsWith('Old Fashioned')).click()")
    page.idle()
    assert page.texts(".user .words") == ["An Old Fashioned, please"]
    assert [n.lower() for n in page.order()] == ["old fashioned"]


def test_messages_said_meanwhile_wait_their_turn(page, proxy):
    proxy.faults = [Fault(hold=holds(3))]
    hold = proxy.faults[0].hold[3]
    page.find("#message").send_keys("A Negroni, please", Keys.ENTER)
    page.until(lambda: page.texts(".maya .words")[-1])
    page.find("#message").send_keys("A Manhattan, please", Keys.ENTER, "A Soda, please", Keys.ENTER)
    assert len(page.all(".queued")) == 2
    assert len(proxy.messages()) == 1
    hold.set()
    page.idle()
    who = page.js("return [...document.querySelectorAll('.said')]"
                  ".map((e) => e.classList.contains('user') ? 'user' : 'maya')")
    assert who == ["maya"] + ["user", "maya"] * 3
    assert [name for name, _ in server_order(page)] == ["negroni", "manhattan", "soda"]


def test_start_over_asks_first(page):
    page.say("A Negroni, please")
    page.find("#start-over").click()
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.js("return document.getElementById('sure').open"))
    assert page.order() != []
    page.find("#start-over").click()
    page.find("#sure [value='yes']").click()
    page.until(lambda: page.order() == [])
    page.until(lambda: len(page.texts(".words")) == 1)
    assert page.text("#due") == "$0.00"
    assert server_order(page) == []


def test_start_over_in_the_middle_of_an_answer(page, proxy):
    proxy.faults = [Fault(hold=holds(3))]
    hold = proxy.faults[0].hold[3]
    page.find("#message").send_keys("A Negroni, please", Keys.ENTER)
    page.until(lambda: page.texts(".maya .words")[-1])
    page.find("#start-over").click()
    page.find("#sure [value='yes']").click()
    page.until(lambda: len(page.texts(".words")) == 1)
    hold.set()
    page.idle()
    page.until(lambda: page.state() == "connected")
    assert page.order() == []
    page.say("A Soda, please")
    assert server_order(page) == [("soda", 1)]


# What comes from outside is text


def test_markup_is_shown_as_text(page):
    evil = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script> say markup"
    page.say(evil)
    assert page.texts(".user .words") == [evil]
    for words in page.all("#log .words"):
        assert words.find_elements(By.CSS_SELECTOR, "*") == []
    page.open()
    assert page.texts(".user .words") == [evil]
    assert page.js("return window.pwned") is None
    assert page.errors() == []


def test_menu_and_order_from_the_server_are_text(page):
    found = page.later("""
        Promise.all([import('/menu.js'), import('/bill.js')]).then(([m, b]) => {
          const bad = '<img src=x onerror=window.pwned=1>';
          new m.Menu(() => {}).show({categories: [{name: bad, items:
            [{name: bad, price: 1, description: bad}]}]});
          new b.Bill({onTip() {}, onPay() {}}).showOrder(
            [{name: bad, price: 1, quantity: 1, modifiers: bad}]);
          done(document.querySelectorAll('#menu-list img, #order img').length);
        });
    """)
    assert found == 0
    assert "<img" in page.text("#order .name") and "<img" in page.text("#order .how")
    assert page.js("return window.pwned") is None


# A bad line


@pytest.mark.parametrize("torn", [True, False], ids=["torn", "clean end"])
def test_goes_on_after_a_cut_and_orders_once(page, proxy, torn):
    proxy.faults = [Fault(cut_events=4, torn=torn, hold=holds(4))]
    reply = page.say_held("A Negroni, please", proxy.faults[0])
    whole = proxy.messages()
    assert [m[0] for m in whole] == ["POST", "GET"]
    assert whole[1][2]["Last-Event-ID"]
    assert whole[0][2]["Idempotency-Key"] == whole[1][2]["Idempotency-Key"]
    assert server_order(page) == [("negroni", 1)]
    past = page.later(HISTORY)
    assert reply == past["history"][-1]["content"]
    assert len(past["history"]) == 2
    assert page.state() == "connected"


def test_an_answer_that_never_came_is_not_ordered_again(page, proxy):
    proxy.faults = [Fault(drop=True), Fault(drop=True)]
    page.say("A Negroni, please")
    keys = {key for _, key in said_by_user(proxy)}
    assert len(proxy.messages()) == 3
    assert len(keys) == 1 and None not in keys
    assert server_order(page) == [("negroni", 1)]
    assert [n.lower() for n in page.order()] == ["negroni"]


def test_an_answer_that_begins_anew_is_shown_once(page, proxy):
    faults = [Fault(cut_events=4, hold=holds(4)), Fault(forget=True, hold=holds(1))]
    proxy.faults = list(faults)
    page.js("""
        window.seen = [];
        new MutationObserver(() => {
          const all = document.querySelectorAll('.maya .words');
          if (all.length > 1) seen.push(all[all.length - 1].textContent);
        }).observe(document.getElementById('log'),
                   {childList: true, subtree: true, characterData: true});
    """)
    reply = page.say_held("What do you recommend?", *faults)
    assert len(proxy.messages()) == 2
    assert reply == last_reply(page)
    seen = page.js("return seen")
    anew = len(seen) - 1 - seen[::-1].index("")
    assert anew > 0 and seen[-1] == reply
    assert all(reply.startswith(shown) for shown in seen[anew:])


def test_gives_up_after_three_tries(page, proxy):
    proxy.faults = [Fault(cut_events=3), Fault(cut_events=0), Fault(cut_events=0),
                    Fault(cut_events=0)]
    page.say("A Negroni, please")
    assert len(proxy.messages()) == 4
    assert "lost" in page.text(".maya.failed .note")
    assert page.state() == "not connected"
    assert page.say("Hello again")
    assert page.state() == "connected"


def test_what_was_given_up_can_be_tried_again_and_is_ordered_once(page, proxy):
    proxy.faults = [Fault(cut_events=3)] + [Fault(cut_events=0)] * 3
    page.say("A Negroni, please")
    page.find(".offer").click()
    page.idle()
    assert page.all(".offer, .failed") == []
    assert len({key for _, key in said_by_user(proxy)}) == 1
    assert server_order(page) == [("negroni", 1)]
    assert len(page.texts(".user .words")) == 1
    assert page.texts(".maya .words")[-1] == last_reply(page)


def test_every_message_has_a_key_of_its_own(page, proxy):
    page.say("A Soda, please")
    page.say("A Soda, please")
    keys = [key for _, key in said_by_user(proxy)]
    assert len(keys) == 2 and len(set(keys)) == 2


def test_a_full_bar_is_asked_again(page, proxy):
    proxy.faults = [Fault(status=503, code="session_limit", retry_after_s=2)]
    page.js("""
        window.seen = [];
        new MutationObserver(() => seen.push(document.querySelector('.maya:last-child').innerText))
          .observe(document.getElementById('log'),
                   {childList: true, subtree: true, characterData: true});
    """)
    assert "bar is full" not in page.say("A Negroni, please")
    assert any("The bar is full" in shown and "again in" in shown
               for shown in page.js("return seen"))
    assert server_order(page) == [("negroni", 1)]
    assert len({key for _, key in said_by_user(proxy)}) == 1


@pytest.mark.parametrize("status, code, words", [(413, "request_too_large", "shorter"),
                                                 (429, "rate_limited", "again in 10 s")])
def test_a_refusal_is_told_and_not_repeated(page, proxy, status, code, words):
    proxy.faults = [Fault(status=status, code=code, retry_after_s=10 if status == 429 else 0)]
    assert words in page.say("A Negroni, please")
    assert len(proxy.messages()) == 1
    assert page.state() == "connected"


def test_stop_ends_the_answer(page, proxy):
    proxy.faults = [Fault(hold=holds(3))]
    hold = proxy.faults[0].hold[3]
    page.find("#message").send_keys("Tell me a story", Keys.ENTER)
    page.until(lambda: page.texts(".maya .words")[-1])
    page.find("#stop").click()
    page.idle()
    hold.set()
    assert page.text(".maya.failed .note") == "Stopped."
    assert len(proxy.messages()) == 1
    assert page.say("A Soda, please")


def test_words_survive_a_split_at_every_byte(page, proxy):
    proxy.faults = [Fault(one_byte=True)]
    reply = page.say("What do you recommend?")
    assert reply == last_reply(page)
    assert len(proxy.messages()) == 1


def test_parser_gives_the_same_events_for_every_split(page):
    stream = ("\ufeff: hello\r\nid: 1\r\ndata: caf\u00e9 \U0001f378\r\n\r\n"
              "id:2\ndata:a\ndata: b\nevent: x\n\n"
              "retry: 5\rdata\r\rdata: last\r\n\r\nid: 9\n\ndata: never ended")
    want = [["1", "message", "caf\u00e9 \U0001f378"], ["2", "x", "a\nb"], ["2", "message", ""],
            ["2", "message", "last"]]
    found = page.later("""
        const bytes = new TextEncoder().encode(arguments[0]);
        import('/sse.js').then(({SseParser}) => {
          const results = new Set();
          const run = (parts) => {
            const events = [];
            const parser = new SseParser(({id, type, data}) => events.push([id, type, data]));
            for (const part of parts) parser.push(part);
            results.add(JSON.stringify(events));
          };
          run([bytes]);
          run(Array.from(bytes, (b) => Uint8Array.of(b)));
          for (let i = 0; i < bytes.length; i++)
            for (let k = i; k < bytes.length; k++)
              run([bytes.slice(0, i), bytes.slice(i, k), bytes.slice(k)]);
          done([...results]);
        });
    """, stream)
    assert [json.loads(f) for f in found] == [want]


# For everybody


@pytest.mark.parametrize("width", [360, 390, 720, 960, 1280])
def test_nothing_is_wider_than_the_window(page, width):
    page.size(width, 740)
    page.say("Do you know this word? " + "Donaudampfschifffahrt" * 8)
    assert page.js("return document.documentElement.scrollWidth") <= width
    over = page.js("""
        return [...document.querySelectorAll('main *, #bill *, #composer *, .top *')]
          .filter((e) => e.getClientRects().length && !e.closest('.unseen')
                         && e.getBoundingClientRect().right > innerWidth + 1)
          .map((e) => e.outerHTML.slice(0, 80));
    """)
    assert over == []


def test_phone_has_drawer_and_sheet(page):
    page.size(*PHONE)
    page.open()
    assert page.find("#menu").get_property("inert")
    page.find("#menu-toggle").click()
    assert page.focused() == "menu-close"
    page.press(Keys.ESCAPE)
    assert page.focused() == "menu-toggle"
    page.find("#menu-toggle").click()
    page.js("[...document.querySelectorAll('#menu-list button')]"
            ".find((b) => b.textContent.startsWith('Negroni')).click()")
    page.idle()
    assert page.find("#menu").get_property("inert")
    assert not page.find("#pay").is_displayed()
    assert page.text("#bill-due") == "$11.00"
    page.find("#bill-toggle").click()
    assert page.find("#pay").is_displayed()
    page.find("#bill-toggle").click()
    assert not page.find("#pay").is_displayed()


def left_below(page):
    return page.js("const l = document.getElementById('log');"
                   "return l.scrollHeight - l.scrollTop - l.clientHeight")


def test_follows_the_newest_words_unless_the_reader_went_back(page, proxy):
    page.size(*PHONE)
    for _ in range(4):
        page.say("What do you recommend?")
    page.until(lambda: left_below(page) < 2)
    page.find("#bill-toggle").click()
    page.until(lambda: left_below(page) < 2)
    fault = Fault(hold=holds(3))
    proxy.faults = [fault]
    page.find("#message").send_keys("What do you recommend?", Keys.ENTER)
    page.until(lambda: page.texts(".maya .words")[-1])
    page.until(lambda: page.later(  # the page hears of it before the next frame
        "const l = document.getElementById('log'); l.scrollTop = 0;"
        "requestAnimationFrame(() => requestAnimationFrame(() => done(l.scrollTop === 0)))"))
    fault.hold[3].set()
    page.idle()
    assert page.js("return document.getElementById('log').scrollTop") == 0


def test_finger_sized_targets_on_a_phone(page):
    page.size(*PHONE)
    page.find("#bill-toggle").click()
    page.find("#menu-toggle").click()
    small = page.js("""
        return [...document.querySelectorAll('button, textarea')]
          .map((e) => [e.id || e.textContent, e.getBoundingClientRect()])
          .filter(([, box]) => box.width > 0 && (box.width < 44 || box.height < 44))
          .map(([name]) => name);
    """)
    assert small == []


def test_an_evening_with_the_keyboard_alone(page):
    page.js("document.activeElement.blur()")
    page.press(Keys.TAB)
    assert "Skip" in page.focused()
    page.press(Keys.ENTER)
    page.press("A Daiquiri, please", Keys.ENTER)
    page.idle()
    assert [n.lower() for n in page.order()] == ["daiquiri"]
    reach(page, "10 %", Keys.TAB, back=True)
    page.press(Keys.SPACE)
    page.until(lambda: page.text("#tip") == "$1.00")
    reach(page, "pay", Keys.TAB)
    page.press(Keys.ENTER)
    page.idle()
    page.until(lambda: page.text("#due") == "$0.00")
    reach(page, "start-over", Keys.TAB, back=True)
    page.press(Keys.ENTER)
    assert page.js("return document.getElementById('sure').open")
    page.press(Keys.TAB, Keys.ENTER)
    page.until(lambda: len(page.texts(".words")) == 1)


def reach(page, name, key, back=False):
    """Move with the Tab key until the focus is there."""
    for _ in range(60):
        if page.focused() == name:
            outline = page.js("return getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
        if back:
            ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(key).key_up(
                Keys.SHIFT).perform()
        else:
            page.press(key)
    raise AssertionError(f"{name} cannot be reached")


def test_whole_sentences_are_announced_politely(page):
    reply = page.say("What do you recommend?")
    assert page.js("return document.getElementById('announce').ariaLive") == "polite"
    assert page.js("return document.getElementById('log').ariaLive") == "off"
    assert " ".join(page.texts("#announce p")) == reply


def test_everything_that_can_be_pressed_has_a_name(page):
    nameless = page.js("""
        return [...document.querySelectorAll('button, textarea, a')]
          .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).length;
    """)
    assert nameless == 0


CONTRAST = """
    const lum = (rgb) => {
      const [r, g, b] = rgb.map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const parse = (c) => c.match(/[\\d.]+/g).map(Number);
    const behind = (e) => {
      for (; e; e = e.parentElement) {
        const c = parse(getComputedStyle(e).backgroundColor);
        if (c.length === 3 || c[3] === 1) return c.slice(0, 3);
      }
      return [255, 255, 255];
    };
    const bad = [];
    for (const e of document.querySelectorAll('body *')) {
      const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
      if (!own || !e.getClientRects().length || e.closest(':disabled, .unseen, noscript')) continue;
      const style = getComputedStyle(e);
      const [a, b] = [lum(parse(style.color).slice(0, 3)), lum(behind(e))].sort((x, y) => y - x);
      const ratio = (a + 0.05) / (b + 0.05);
      if (ratio < 4.5) bad.push([e.outerHTML.slice(0, 60), ratio.toFixed(2)]);
    }
    return bad;
"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_text_is_readable_in_both_schemes(page, scheme):
    page.media(prefers_color_scheme=scheme)
    page.say("A Martini, dry, please")
    page.find("#tips [data-percent='15']").click()
    page.until(lambda: page.text("#tip") == "$1.95")
    assert page.js(CONTRAST) == []
    wall = page.js("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(v) for v in wall[4:-1].split(",")) > 380) == (scheme == "light")


def test_nothing_moves_for_those_who_do_not_want_it(page):
    page.media(prefers_reduced_motion="reduce")
    moving = page.js("""
        return [...document.querySelectorAll('*')].filter((e) => {
          const s = getComputedStyle(e);
          return s.animationName !== 'none' || parseFloat(s.transitionDuration) > 0;
        }).length;
    """)
    assert moving == 0


# -- what others do in the same session

def elsewhere(page, path, body=None):
    """Another device of the same person, past the proxy."""
    request = urllib.request.Request(page.upstream + "/api/v1" + path,
                                     json.dumps(body or {}).encode(),
                                     {"Content-Type": "application/json",
                                      "X-Session-ID": page.js(
                                          "return localStorage.getItem('maya_session_id')")})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        return json.load(answer)


@pytest.fixture
def shared(page, proxy, maya_url):
    """A page that is known to listen."""
    page.upstream = maya_url
    page.until(lambda: any("/session/events" in r[1] for r in proxy.seen))
    page.say("A Martini, dry, please")
    # What it asked for may still be on its way: then it does not hear of what is done now.
    page.until(lambda: elsewhere(page, "/payments/tip", {"tip_percentage": 10}) and
               "10" in page.text("#tip-label"), "it hears of others")
    return page


def test_shows_what_is_said_elsewhere(shared):
    before = len(shared.texts(".said"))
    said = elsewhere(shared, "/chat", {"user_input": "an ipa, please"})["response_text"]
    shared.until(lambda: shared.texts(".maya .words")[-1] == said)
    assert shared.texts(".user .words")[-1] == "an ipa, please"
    assert len(shared.texts(".said")) == before + 2
    assert len(shared.order()) == 2
    elsewhere(shared, "/payments/tip", {"tip_percentage": 20})
    shared.until(lambda: "20" in shared.text("#tip-label"))
    shared.say("what do I owe you?")  # of its own words nothing is shown twice
    elsewhere(shared, "/chat", {"user_input": "another ipa, please"})
    shared.until(lambda: shared.texts(".user .words")[-1] == "another ipa, please")
    assert shared.texts(".user .words") == ["A Martini, dry, please", "an ipa, please",
                                            "what do I owe you?", "another ipa, please"]
    assert shared.errors() == []


def test_what_is_said_elsewhere_waits_for_our_own_answer(shared, proxy):
    go = threading.Event()
    proxy.faults = [Fault(hold={3: go})]
    shared.find("#message").send_keys("what is on the menu?", Keys.ENTER)
    shared.until(lambda: shared.js("return !document.getElementById('stop').hidden"))
    elsewhere(shared, "/chat", {"user_input": "an ipa, please"})
    go.set()
    shared.until(lambda: shared.texts(".user .words")[-1] == "an ipa, please")
    assert shared.texts(".user .words")[-2:] == ["what is on the menu?", "an ipa, please"]


def test_a_reset_elsewhere_empties_the_page(shared):
    elsewhere(shared, "/session/reset")
    shared.until(lambda: not shared.texts(".user .words") and not shared.order())
    assert len(shared.texts(".said")) == 1  # the greeting
    elsewhere(shared, "/chat", {"user_input": "an ipa, please"})
    shared.until(lambda: shared.texts(".user .words") == ["an ipa, please"])


def test_a_hidden_page_hears_it_when_it_is_seen_again(shared):
    """It gives its connection back; what was said meanwhile comes with the next one."""
    hide = ("Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});"
            "document.dispatchEvent(new Event('visibilitychange'))")
    elsewhere(shared, "/chat", {"user_input": "an ipa, please"})
    shared.until(lambda: len(shared.texts(".user .words")) == 2)
    shared.js(hide, True)
    elsewhere(shared, "/chat", {"user_input": "another ipa, please"})
    elsewhere(shared, "/chat", {"user_input": "and a water, please"})
    assert len(shared.texts(".user .words")) == 2
    shared.js(hide, False)
    shared.until(lambda: shared.texts(".user .words")[2:] == ["another ipa, please",
                                                              "and a water, please"])


def test_what_was_said_while_the_network_was_gone(shared, proxy):
    """The page reads the order again when it is back, and still shows the words it missed."""
    proxy.closed.add("/api/v1/session/events")
    shared.js("Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
              "document.dispatchEvent(new Event('visibilitychange'));"
              "Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    elsewhere(shared, "/chat", {"user_input": "an ipa, please"})
    proxy.closed.clear()
    shared.js("dispatchEvent(new Event('online'))")
    shared.until(lambda: shared.texts(".user .words")[1:] == ["an ipa, please"])


def test_without_the_stream_all_goes_on(page, proxy):
    proxy.closed.add("/api/v1/session/events")
    page.open()
    page.until(lambda: any("/session/events" in r[1] for r in proxy.seen))
    assert page.say("A Martini, dry, please")
    assert page.state() == "connected" and page.order() == ["Martini"]


def test_comes_anew_when_it_changes(chromium, tmp_path):
    """With --reload an open page shows a changed file, and keeps what was said and typed."""
    n = Reloaded(tmp_path / "node").start()
    page = Page(chromium, n.url)
    try:
        page.open()
        page.say("a negroni, please")
        page.find("#message").send_keys("half a sen")
        page.until(lambda: page.js("return performance.getEntriesByType('resource')"
                                   ".some((e) => e.name.endsWith('/reload.id'))"))
        html = (n.folder / "web" / "index.html").read_text()
        n.put(n.folder / "web" / "index.html", html.replace("Skip to the conv", "Fresh conv", 1))
        page.until(lambda: page.text(".skip").startswith("Fresh"))
        page.until(lambda: page.texts(".user .words") == ["a negroni, please"])
        assert page.js("return document.getElementById('message').value") == "half a sen"
        page.js("window.old = true")
        with n.reloading():
            os.utime(n.agent / "agent.yaml")
        page.until(lambda: not page.js("return window.old === true"))
        page.until(lambda: page.order() == ["Negroni"] and page.state() == "connected")
        page.find("#message").clear()
        assert page.say("and an ipa, please")
        assert page.order() == ["Negroni", "IPA"]
    finally:
        n.close()
