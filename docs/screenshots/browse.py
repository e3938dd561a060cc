#!/usr/bin/env python3
"""Opens a page in headless Chromium, fails if it errs or asks for anything, and takes pictures.

    browse.py PAGE.html OUT_PREFIX WIDTH[xHEIGHT][:dark][:#anchor]...

Each picture is OUT_PREFIX-WIDTH.png (or -WIDTH-dark.png). Speaks the DevTools protocol over two
pipes; needs nothing but Python and Chromium (`CHROMIUM` names the program).
"""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile

FLAGS = ["--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
         "--disable-background-networking", "--remote-debugging-pipe"]
if os.geteuid() == 0:
    FLAGS.append("--no-sandbox")  # Chromium has none for root


class Browser:
    """One Chromium, and what it reported."""

    def __init__(self, folder):
        to_child, self.write = os.pipe()
        self.read, from_child = os.pipe()

        def place_pipes():
            # Chromium reads commands from 3 and writes answers to 4. Copies first: either pipe
            # may have one of these numbers already.
            commands, answers = os.dup(to_child), os.dup(from_child)
            os.dup2(commands, 3)
            os.dup2(answers, 4)

        program = os.environ.get("CHROMIUM", "chromium")
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"],
            preexec_fn=place_pipes, close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.buffer, self.number, self.events = b"", 0, []
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        attach = {"targetId": target, "flatten": True}
        self.session = None
        self.session = self.ask("Target.attachToTarget", attach)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.ask(f"{domain}.enable")

    def ask(self, method, params=None):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params or {}}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def next(self):
        while b"\0" not in self.buffer:
            some = os.read(self.read, 1 << 20)
            if not some:
                raise RuntimeError("Chromium went away")
            self.buffer += some
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def evaluate(self, script):
        result = self.ask("Runtime.evaluate", {"expression": script, "returnByValue": True})
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def open(self, url):
        self.events.clear()
        self.ask("Page.navigate", {"url": url})
        while not any(it.get("method") == "Page.loadEventFired" for it in self.events):
            self.events.append(self.next())

    def close(self):
        self.ask("Browser.close")
        self.process.wait()


def wrong(browser, url):
    """What the page did that it must not do."""
    for event in browser.events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent" and params["request"]["url"] != url:
            yield f"asked for {params['request']['url']}"
        if method == "Log.entryAdded":
            yield f"log: {params['entry']['text']}"
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            yield f"console: {json.dumps(params)[:500]}"


def take(browser, url, prefix, wish):
    size, *rest = wish.split(":")
    width, _, height = size.partition("x")
    scheme = "dark" if "dark" in rest else "light"
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.ask("Emulation.setEmulatedMedia", media)
    metrics = {"width": int(width), "height": int(height or 1400), "deviceScaleFactor": 1,
               "mobile": int(width) < 600}
    browser.ask("Emulation.setDeviceMetricsOverride", metrics)
    anchor = next((it for it in rest if it.startswith("#")), "")
    browser.open("about:blank")
    browser.open(url + anchor)
    browser.evaluate("new Promise(it => requestAnimationFrame(() => requestAnimationFrame(it)))")
    found = list(wrong(browser, url))
    wide = browser.evaluate("document.documentElement.scrollWidth") - int(width)
    if wide > 0:
        found.append(f"at {width} pixels the page is {wide} pixels too wide")
    name = f"{prefix}-{width}{'-dark' if scheme == 'dark' else ''}.png"
    picture = browser.ask("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": False})
    pathlib.Path(name).write_bytes(base64.b64decode(picture["data"]))
    print(f"{name}: {pathlib.Path(name).stat().st_size // 1024} KiB")
    return found


def main():
    page, prefix, *wishes = sys.argv[1:]
    url = pathlib.Path(page).resolve().as_uri()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(folder)
        found = [it for wish in wishes for it in take(browser, url, prefix, wish)]
        browser.close()
    for it in found:
        print(f"error: {it}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
