"""Drives a headless Chromium over the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/)."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"]


def find():
    """A Chromium's path; None if there is none. DENOISED_CHROMIUM names another one."""
    named = os.environ.get("DENOISED_CHROMIUM")
    return named or next((path for path in map(shutil.which, NAMES) if path), None)


class BrowserError(Exception):
    """The browser does not do what it was asked for."""


class Browser:
    """A Chromium with a profile of its own. Ends with its `with`."""

    def __init__(self, path=None):
        self.path = path or find()
        if not self.path:
            raise BrowserError(f"no Chromium; expected one of {', '.join(NAMES)}")

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="denoised-browser-", ignore_cleanup_errors=True)
        to_browser, self.writer = os.pipe()
        self.reader, from_browser = os.pipe()
        command = [
            self.path,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--no-proxy-server",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            "--force-color-profile=srgb",
            "--remote-debugging-pipe",
            f"--user-data-dir={self.profile.name}",
        ]
        ends = {3: to_browser, 4: from_browser}

        def place():
            # Out of the way of the numbers that they are to have.
            moved = {number: os.dup2(os.dup(end), 100 + number) for number, end in ends.items()}
            for number, end in moved.items():
                os.dup2(end, number, inheritable=True)

        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=place,
        )
        os.close(to_browser)
        os.close(from_browser)
        self.number, self.rest, self.events = 0, b"", []
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.writer)
        os.close(self.reader)
        self.profile.cleanup()

    def _receive(self, deadline):
        """The next message; None if none comes in time."""
        while b"\0" not in self.rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.reader], [], [], left)[0]:
                return None
            data = os.read(self.reader, 1 << 20)
            if not data:
                raise BrowserError("the browser has ended")
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, timeout=30, **parameters):
        """Calls a method of the protocol and returns its result. Events that come meanwhile are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.writer, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while (answer := self._receive(deadline)) is not None:
            if answer.get("id") != self.number:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserError(f"{method}: {answer['error']['message']}")
            else:
                return answer["result"]
        raise BrowserError(f"{method}: no answer within {timeout} s")

    def page(self, width=1200, height=900, scale=1, dark=False, touch=False):
        """A page without an address yet."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, target, session, width, height, scale, dark, touch)


class Page:
    """A tab."""

    def __init__(self, browser, target, session, width, height, scale, dark, touch):
        self.browser, self.target, self.session = browser, target, session
        self.width, self.height = width, height
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"]:
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=touch)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def open(self, url):
        """Goes to an address, and returns once the page is there."""
        self.evaluate("window.isLeft = true")
        self.call("Page.navigate", url=url)
        self.wait("!window.isLeft && document.readyState === 'complete'")

    def evaluate(self, expression):
        """A JavaScript expression's value."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise BrowserError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression, timeout=20):
        """Waits until a JavaScript expression is true."""
        deadline = time.monotonic() + timeout
        while not self.evaluate(expression):
            if time.monotonic() > deadline:
                text = self.evaluate("document.body ? document.body.innerText.slice(0, 2000) : ''")
                raise BrowserError(f"not true within {timeout} s: {expression}\n{text}\n{self.complaints()}")
            time.sleep(0.05)

    def text(self, selector):
        """The text of the element that a CSS selector finds."""
        return self.evaluate(f"document.querySelector({json.dumps(selector)})?.textContent")

    def click(self, selector):
        """Clicks where an element is, as a person does."""
        place = self.evaluate(
            f"(() => {{ const node = document.querySelector({json.dumps(selector)}); node.scrollIntoView({{block: 'center'}});"
            " const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ["mousePressed", "mouseReleased"]:
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def complaints(self):
        """What the browser complained about: exceptions, errors in its log, breaches of the Content-Security-Policy."""
        self.evaluate("1")
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            method, parameters = event["method"], event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                found.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
            elif method == "Audits.issueAdded":
                found.append(str(parameters["issue"]))
        return found

    def requests(self):
        """The addresses of all that was asked for."""
        self.evaluate("1")
        return [
            event["params"]["request"]["url"]
            for event in self.browser.events
            if event.get("sessionId") == self.session and event["method"] == "Network.requestWillBeSent"
        ]

    def picture(self, height=None):
        """What is seen, as PNG; of the whole page, or of its first `height` pixels."""
        full = self.evaluate("Math.ceil(document.documentElement.scrollHeight)")
        clip = {"x": 0, "y": 0, "width": self.width, "height": min(height or full, full), "scale": 1}
        result = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(result["data"])

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
