#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The audit's page in headless Chromium: what it loads, whether its table sorts and filters, how it looks.

    browser.py CHROMIUM PAGE [PICTURES]     PICTURES: a folder for desktop, dark, phone and print

Talks to the browser through its pipe (DevTools protocol). Prints TAP lines without plan and numbers.
"""
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile

chromium, page = sys.argv[1], os.path.abspath(sys.argv[2])
pictures = sys.argv[3] if len(sys.argv) > 3 else None
URL = "file://" + page.replace("%", "%25").replace("#", "%23").replace("?", "%3F")


class Browser:
    def __init__(self, profile):
        to_read, self.out = os.pipe()
        self.back, to_write = os.pipe()

        def descriptors():  # 3 and 4, wherever the pipes were
            a, b = os.dup(to_read), os.dup(to_write)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
             "--no-first-run", "--disable-background-networking", "--user-data-dir=" + profile, "about:blank"],
            preexec_fn=descriptors, close_fds=False, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.events, self.number, self.session = b"", [], 0, None

    def message(self):
        while b"\0" not in self.buffer:
            more = os.read(self.back, 1 << 20)
            if not more:
                raise SystemExit("# the browser has ended")
            self.buffer += more
        first, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(first)

    def call(self, method, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.out, json.dumps(request).encode() + b"\0")
        while True:
            m = self.message()
            if m.get("id") == self.number:
                if "error" in m:
                    raise SystemExit("# %s: %s" % (method, m["error"]))
                return m["result"]
            self.events.append(m)

    def wait(self, event):
        while not any(e.get("method") == event for e in self.events):
            self.events.append(self.message())

    def js(self, expression):
        r = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return r.get("exceptionDetails", r["result"].get("value"))

    def of(self, method):
        return [e["params"] for e in self.events if e.get("method") == method]


def result(good, what, seen=""):
    print("%sok - %s" % ("" if good else "not ", what))
    if not good:
        print("# saw: %s" % (seen,))


def screen(b, name, width, height, scheme="light", media="screen"):
    b.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
    b.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
    wide = b.js("document.documentElement.scrollWidth")
    result(wide <= width, "%s: nothing but tables scrolls sideways" % name, wide)
    if pictures:
        shot = b.call("Page.captureScreenshot", format="png")
        open(os.path.join(pictures, name + ".png"), "wb").write(base64.b64decode(shot["data"]))


# of text on its background, as WCAG 2 computes it
CONTRAST = """(function(){
var L=function(c){c=c.match(/[\\d.]+/g).slice(0,3).map(function(v){v/=255;return v<=.03928?v/12.92:Math.pow((v+.055)/1.055,2.4)});
return .2126*c[0]+.7152*c[1]+.0722*c[2]};
var bg=L(getComputedStyle(document.body).backgroundColor),worst=99;
document.querySelectorAll('.s,.hash,.clause,.quiet td,p,h1').forEach(function(e){
var f=L(getComputedStyle(e).color),r=(Math.max(f,bg)+.05)/(Math.min(f,bg)+.05);if(r<worst)worst=r});return worst})()"""
VISIBLE = "Array.from(document.querySelectorAll('#fleet tbody tr')).filter(r=>!r.hidden).length"
CELLS = "Array.from(document.querySelectorAll('#fleet tbody tr')).map(r=>+r.cells[2].textContent)"


def main(b):
    target = b.call("Target.createTarget", url="about:blank")["targetId"]
    b.session = b.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Network", "Runtime", "Log"):
        b.call(domain + ".enable")
    b.call("Page.navigate", url=URL)
    b.wait("Page.loadEventFired")

    rows = b.js("document.querySelectorAll('#fleet tbody tr').length")
    result(b.js("document.getElementById('shown').textContent") == "%d / %d" % (rows, rows), "the script has run")
    b.js("document.querySelectorAll('#fleet th button')[2].click()")
    up = b.js(CELLS)
    b.js("document.querySelectorAll('#fleet th button')[2].click()")
    down = b.js(CELLS)
    result(len(set(up)) > 1 and up == sorted(up) and down == sorted(down, reverse=True), "it sorts by number, both ways", (up, down))
    name = b.js("document.querySelector('#fleet tbody a').textContent")
    b.js("var f=document.getElementById('filter');f.value=%s;f.dispatchEvent(new Event('input'))" % json.dumps(name.upper()))
    one = b.js(VISIBLE)
    result(1 <= one < rows, "it filters by text, however that is written", one)
    b.js("f.value='';f.dispatchEvent(new Event('input'));var s=document.getElementById('state');s.value='pass';"
         "s.dispatchEvent(new Event('change'))")
    passed = b.js("document.querySelectorAll('#fleet tbody tr[data-state=pass]').length")
    result(b.js(VISIBLE) == passed, "it filters by result", (b.js(VISIBLE), passed))
    b.js("s.value='';s.dispatchEvent(new Event('change'))")

    screen(b, "desktop", 1280, 1400)
    light = b.js("getComputedStyle(document.body).backgroundColor")
    result(b.js(CONTRAST) >= 4.5, "light: every text stands out from its background (4.5 to 1)", b.js(CONTRAST))
    screen(b, "dark", 1280, 1400, "dark")
    result(b.js("getComputedStyle(document.body).backgroundColor") != light, "dark is another background")
    result(b.js(CONTRAST) >= 4.5, "dark: every text stands out from its background (4.5 to 1)", b.js(CONTRAST))
    screen(b, "phone", 390, 2400)
    seen = b.js("document.querySelector('#fleet tbody tr').cells[1].getBoundingClientRect().right")
    result(seen <= 390, "phone: the result is on the screen", seen)
    screen(b, "print", 794, 1123, "light", "print")
    result(b.js("getComputedStyle(document.querySelector('.filter')).display") == "none", "print: no filter")
    result(b.js(CONTRAST) >= 4.5, "print: every text stands out from its background (4.5 to 1)", b.js(CONTRAST))

    urls = [e["request"]["url"] for e in b.of("Network.requestWillBeSent")]
    result(urls == [URL], "nothing is loaded but the page", urls)
    result(not b.of("Runtime.exceptionThrown") and not b.of("Page.javascriptDialogOpening"), "no error, no dialog")
    result(not b.of("Log.entryAdded"), "the browser has nothing to complain about", b.of("Log.entryAdded"))


# its helper processes may write there for a moment longer than it lives
with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
    browser = Browser(folder)
    try:
        main(browser)
    finally:
        os.killpg(browser.process.pid, signal.SIGKILL)
        browser.process.wait()
