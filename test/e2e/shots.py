#!/usr/bin/python3
"""Take the pictures of the page in docs/ from a running server.

    test/e2e/shots.py http://127.0.0.1:8000

Each stays below 200 kB; pngquant makes it so where the browser's own PNG is larger.
"""
import base64
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from test_page import BROWSER, DRIVER, Page

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
MOST = 200_000
EVENING = ["What do you recommend?", "Two Martinis, dry, please", "And an Old Fashioned"]


def take(page, name):
    shot = page.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    file = DOCS / name
    file.write_bytes(base64.b64decode(shot["data"]))
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--skip-if-larger", "--output", file, file],
                       check=False)
    size = file.stat().st_size
    print(f"{file}: {size} bytes")
    return size <= MOST


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    url = sys.argv[1].rstrip("/")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    profile = tempfile.mkdtemp()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(service=Service(DRIVER), options=options)
    try:
        page = Page(driver, url)
        page.media(prefers_color_scheme="dark")
        page.size(1280, 800)
        page.open()
        for text in EVENING:
            page.say(text)
        page.find("#tips [data-percent='15']").click()
        page.until(lambda: page.text("#tip") != "$0.00")
        small = take(page, "page.png")
        page.size(390, 844)
        page.open()
        small = take(page, "page-phone.png") and small
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)
    return 0 if small else 1


if __name__ == "__main__":
    os.makedirs(DOCS, exist_ok=True)
    sys.exit(main())
