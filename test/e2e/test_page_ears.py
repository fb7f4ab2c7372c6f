"""The microphone on the page, in a real Chromium whose microphone plays a file."""
import math
import shutil
import struct
import wave

import pytest

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.chrome.service import Service  # noqa: E402

from cartesia_stt import CartesiaSTT  # noqa: E402
from node import PATIENCE_S, Node, until  # noqa: E402
from test_page import BROWSER, DRIVER, SOUNDS, Page, pytestmark  # noqa: E402,F401

KEY = "sk_car_thisServersOwn0000000"


@pytest.fixture(scope="module")
def stt():
    with CartesiaSTT() as s:
        yield s


@pytest.fixture(scope="module")
def node(tmp_path_factory, stt):
    n = Node(tmp_path_factory.mktemp("ears"), {
        "MAYA_CARTESIA_URL": stt.url, "CARTESIA_API_KEY": KEY, "MAYA_VOICE": "espeak",
        "MAYA_MIND_CONNECT_SECONDS": str(PATIENCE_S)})
    n.start()
    yield n
    n.close()
    shutil.rmtree(n.folder, ignore_errors=True)


@pytest.fixture
def page(tmp_path, node):
    sound = tmp_path / "sound.wav"
    with wave.open(str(sound), "wb") as w:
        w.setparams((1, 2, 48000, 0, "NONE", ""))
        w.writeframes(b"".join(struct.pack("<h", int(20000 * math.sin(i / 20)))
                               for i in range(48000)))
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--no-first-run", "--lang=en-US", f"--user-data-dir={tmp_path / 'chromium'}",
                 "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
                 f"--use-file-for-fake-audio-capture={sound}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service(DRIVER), options=options)
    page = Page(driver, node.url)
    page.size(1280, 800)
    page.open()
    yield page
    driver.quit()


def test_a_spoken_conversation(page, stt, node):
    page.js(SOUNDS)
    page.find("#listen").click()
    s = stt.stream()
    assert s.query["sample_rate"] == "16000"
    heard = memoryview(s.hears(16000)[:16000]).cast("h")
    page.until(lambda: page.state() == "listening")
    until("it hears silence", lambda: max(memoryview(s.heard[:len(s.heard) // 2 * 2]).cast("h"),
                                          key=abs) != 0)
    assert len(heard) == 8000
    s.start()
    s.update("two negronis")
    page.until(lambda: page.texts(".user .words")[-1:] == ["two negronis"])
    s.end("two negronis please")
    page.until(lambda: page.order() == ["2 × Negroni"])
    page.idle()
    assert page.texts(".user .words") == ["two negronis please"]  # once, also in the news
    page.until(lambda: page.js("return sounds.length") > 0)
    s.start()
    page.until(lambda: page.js("return sounds.every((s) => s.stopped)"))
    s.end("and a beer")
    page.until(lambda: len(page.order()) == 2)
    page.idle()
    page.find("#listen").click()
    until("the stream stays open", s.gone.is_set)
    page.until(lambda: page.state() == "connected")
    assert page.say("hello there")
    assert not page.errors()


def test_only_where_somebody_hears(page, nodes):
    assert page.find("#listen").is_displayed()
    other = nodes({"MAYA_VOICE": "off"})
    page.url = other.url
    page.open()
    assert not page.find("#listen").is_displayed()
