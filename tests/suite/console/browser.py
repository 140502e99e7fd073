"""Drives headless Chromium through the console, by WebDriver and the standard library alone.

Arguments: the console's origin, a folder for pictures. <https://www.w3.org/TR/webdriver2/>
"""

import base64
import json
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request

ORIGIN, PICTURES = sys.argv[1], pathlib.Path(sys.argv[2])
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
PATIENCE = 30


class Browser:
    def __init__(self):
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.base = None
        for line in self.driver.stdout:
            if "successfully on port " in line:
                port = line.split("on port ")[1].split(".")[0].strip()
                self.base = f"http://127.0.0.1:{port}"
                break
        assert self.base, "chromedriver said no port"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en"]
        options = {"args": arguments, "prefs": {"intl.accept_languages": "en"}}
        asked = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}}
        self.session = None
        self.session = f"/session/{self.call('POST', '/session', asked)['sessionId']}"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from None

    def do(self, method, path, body=None):
        return self.call(method, self.session + path, {} if body is None and method == "POST" else body)

    def go(self, path):
        self.do("POST", "/url", {"url": ORIGIN + path})

    def find(self, css):
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return self.do("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]
            except AssertionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    def fill(self, css, text):
        element = self.find(css)
        self.do("POST", f"/element/{element}/clear")
        self.do("POST", f"/element/{element}/value", {"text": text})

    def press(self, css):
        self.do("POST", f"/element/{self.find(css)}/click")

    def run(self, script):
        return self.do("POST", "/execute/sync", {"script": script, "args": []})

    def wait(self, what, script):
        until = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < until, f"never: {what}: {self.run('return document.body.innerText')}"
            time.sleep(0.1)

    def size(self, width, height):
        # The window of a headless browser has a least width; the page's is set.
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        body = {"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics}
        self.do("POST", "/goog/cdp/execute", body)

    def picture(self, name):
        self.wait("a page", "return document.readyState === 'complete'")
        (PICTURES / f"{name}.png").write_bytes(base64.b64decode(self.do("GET", "/screenshot")))

    def close(self):
        try:
            if self.session:
                self.call("DELETE", self.session)
        finally:
            self.driver.kill()
            self.driver.wait()


def has_no_overflow(browser, name):
    wide = browser.run("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[0] <= wide[1], f"{name}: the page is {wide[0]} wide in a window of {wide[1]}"


def come_through(browser):
    browser.size(1280, 900)
    browser.go("/console")
    # The keyboard alone: the first field has the focus, Enter sends.
    assert browser.run("return document.activeElement.name") == "user"
    browser.picture("sign-in-light-en")
    browser.fill("input[name=user]", "dba")
    browser.fill("input[name=password]", "wrong\ue007")
    browser.find("[role=alert]")
    browser.fill("input[name=user]", "dba")
    browser.fill("input[name=password]", "dba-demo\ue007")
    browser.find("table.matrix")
    assert browser.run("return document.cookie") == "", "a script can read a cookie"
    # Tab comes to the way past the navigation first.
    browser.do("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": [
        {"type": "keyDown", "value": "\ue004"}, {"type": "keyUp", "value": "\ue004"}]}]})
    assert browser.run("return document.activeElement.className") == "skip"
    browser.do("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": [
        {"type": "keyDown", "value": "\ue007"}, {"type": "keyUp", "value": "\ue007"}]}]})
    browser.wait("the content's turn", "return document.activeElement.id === 'content'")
    browser.picture("matrix-light-en")
    # Filtered by a tag.
    browser.run("document.querySelector('select[name=tag]').value = 'contact'")
    browser.press(".filter button.main")
    browser.wait("a filtered matrix", "return location.search.includes('tag=contact')")
    browser.find("table.matrix")
    assert "balance" not in browser.run("return document.querySelector('table.matrix').innerText")
    browser.press("table.matrix tbody th[scope=row] a")
    browser.wait("a story", "return location.pathname === '/console/column'")
    browser.picture("column-light-en")
    browser.go("/console/playground")
    browser.fill("textarea[name=sql]", "SELECT id, name, tier FROM customers WHERE id < 4")
    browser.run("document.querySelector('select[name=beside]').value = 'support'")
    browser.press("button[value=run]")
    browser.find("#answer")
    answer = browser.run("return document.querySelector('#answer').innerText")
    assert "customers" in answer and "Rows as admin" in answer, answer
    browser.picture("playground-light-en")
    browser.press("button[value=dark]")
    browser.wait("dark", "return document.documentElement.dataset.theme === 'dark'")
    browser.press("button[value=ko]")
    browser.wait("Korean", "return document.documentElement.lang === 'ko'")
    pages = ["", "/playground", "/statements", "/sessions", "/rules", "/rules?file=40-roles.yaml#L17", "/report?make=1"]
    for path in pages:
        name = path.strip("/").split("?")[0] or "matrix"
        name = name + ("-file" if "file=" in path else "")
        browser.go("/console" + path)
        browser.find("h1")
        browser.picture(f"{name}-dark-ko")
        browser.size(400, 800)
        has_no_overflow(browser, name)
        browser.picture(f"{name}-narrow-dark-ko")
        browser.size(1280, 900)
    # One row: from the report by a link, the keyboard alone, and the answer is what is read next.
    browser.go("/console/report")
    browser.press("main a[href='/console/report/row']")
    browser.find("input[name=relation]")
    browser.fill("input[name=relation]", "public.customers")
    browser.fill("input[name=key]", "x\ue007")
    browser.find("#answer [role=alert]")
    said = browser.run("return document.getElementById(document.querySelector('input[name=key]').getAttribute('aria-describedby')).innerText")
    assert "`id`" in said, said
    browser.picture("row-wrong-dark-ko")
    browser.fill("input[name=key]", "3\ue007")
    browser.find("#answer #seen table")
    seen = browser.run("return document.querySelector('#seen table').innerText")
    assert "alice" in seen and "callback" in seen, seen
    assert browser.run("return location.hash + location.search") == "#answer", "the key stands in an address"
    assert browser.run("return document.querySelector('input[name=key]').value") == "3"
    browser.picture("row-dark-ko")
    browser.size(400, 800)
    has_no_overflow(browser, "row")
    browser.picture("row-narrow-dark-ko")
    browser.size(1280, 900)
    # The switch of languages leads back to the page, and asks nothing.
    browser.press("button[value=light]")
    browser.press("button[value=en]")
    browser.wait("English", "return document.documentElement.lang === 'en'")
    assert browser.run("return location.pathname") == "/console/report/row"
    browser.fill("input[name=relation]", "public.customers")
    browser.fill("input[name=key]", "3\ue007")
    browser.find("#answer #seen table")
    browser.picture("row-light-en")
    browser.press("button[value=dark]")
    browser.press("button[value=ko]")
    # It follows by itself, and stops where it is told to.
    browser.go("/console/statements")
    browser.press("#follow")
    browser.wait("to follow", "return document.querySelector('#follow').getAttribute('aria-pressed') === 'true'")
    browser.press("button[value=light]")
    browser.press("button[value=en]")
    for path in ["/statements", "/sessions", "/report?make=1"]:
        browser.go("/console" + path)
        browser.find("h1")
        browser.picture(f"{path.strip('/').split('?')[0]}-light-en")
    browser.size(400, 800)
    browser.go("/console")
    browser.find("table.matrix")
    has_no_overflow(browser, "matrix")
    browser.picture("matrix-narrow-light-en")
    complaints = [entry for entry in browser.do("POST", "/se/log", {"type": "browser"}) if entry["level"] == "SEVERE"]
    # The login that failed was answered with 401, the key that is none with 400.
    complaints = [entry for entry in complaints if not any(code in entry["message"] for code in ["401", "400"])]
    assert not complaints, complaints


def drive(steps):
    browser = Browser()
    try:
        steps(browser)
    finally:
        browser.close()


if __name__ == "__main__":
    drive(come_through)
