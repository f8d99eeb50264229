"""Checks the live page in a headless Chromium.

    python3 Tests/Browser/live_page.py --binary .build/release/denoised

Prints what it checks, and exits 1 with the first thing that does not hold. Needs python3-zmq, python3-msgpack and Debian's
chromium or chromium-headless-shell.
"""

import argparse
import http.server
import json
import pathlib
import re
import sys
import tempfile
import threading

import scene_robots as robots
import scenes
from browser import Browser
from checks import check, check_fits, check_quiet, run
from daemon import ROOT

MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script>&amp;'


def is_drawn(page, selector):
    """Whether a canvas has more than one colour."""
    return page.evaluate(
        f"(() => {{ const node = document.querySelector({json.dumps(selector)}); if (!node || !node.width) return false;"
        "const data = new Uint32Array(node.getContext('2d').getImageData(0, 0, node.width, node.height).data.buffer);"
        "return new Set(data).size > 3; })()"
    )


STATE = "document.querySelector('#robot-state').textContent"


def watches_and_stops(browser, binary):
    """A simulated PushT robot is shown and obeys the buttons, on a desktop and on a phone."""
    with scenes.pusht(binary) as scene:
        for width, touch in [(1200, False), (360, True)]:
            page = browser.page(width=width, height=780, touch=touch)
            page.open(scene.url)
            page.wait(f"{STATE} === 'running'", 60)
            check(page.text("#link") == "live", "it is live")
            page.wait("document.querySelectorAll('#charts .chart').length === 2")
            for canvas in ["#scene", "#latency", "#sampler", "#charts canvas"]:
                page.wait(f"document.querySelector('{canvas}').width > 0")
                deadline = 100
                while not is_drawn(page, canvas) and deadline:
                    page.wait("new Promise((done) => setTimeout(() => done(true), 100))")
                    deadline -= 1
                check(deadline, f"{canvas} is drawn")
            check_fits(page)

            page.click("#hold")
            page.wait(f"['holding', 'stopped'].includes({STATE})")
            page.click("#stop")
            page.wait(f"{STATE} === 'stopped'")
            page.wait("document.querySelector('#robot-reason').textContent.includes('a stop was requested on the live page')")
            check("stopped" in page.text("#toast"), "the answer is shown")
            page.click("#resume")
            page.wait("document.querySelector('#confirm').open")
            page.click("#confirm-no")
            page.wait("!document.querySelector('#confirm').open")
            check(page.evaluate(STATE) == "stopped", "a resume that is not confirmed does nothing")
            page.click("#resume")
            page.wait("document.querySelector('#confirm').open")
            # Somebody stops it again before this is confirmed.
            scene.daemon.request({"type": "stop", "robot": page.text("#robot-id")})
            page.click("#confirm-yes")
            page.wait("document.querySelector('#toast').dataset.kind === 'bad'")
            check("newer" in page.text("#toast") or "later" in page.text("#toast"), page.text("#toast"))
            page.wait("new Promise((done) => setTimeout(() => done(true), 500))")
            page.click("#resume")
            page.wait("document.querySelector('#confirm').open")
            page.click("#confirm-yes")
            page.wait(f"{STATE} === 'running'")
            check_quiet_but_refusals(page, scene.url)
            page.close()


def check_quiet_but_refusals(page, url):
    """As `check_quiet`; an order that was refused is in the browser's log."""
    complaints = [text for text in page.complaints() if "409" not in text]
    check(not complaints, f"the browser complains: {complaints}")
    others = [address for address in page.requests() if not address.startswith((url, "data:", "about:"))]
    check(not others, f"the page asks for {others}")


def shows_many_dimensions(browser, binary):
    """A robot of 26 joints has a chart for each."""
    with scenes.joints(binary) as scene:
        for width in [1200, 360]:
            page = browser.page(width=width, height=780)
            page.open(scene.url)
            page.wait(f"document.querySelectorAll('#charts .chart').length === {len(robots.JOINTS)}", 60)
            page.wait("[...document.querySelectorAll('#charts .now')].every((node) => /[0-9]/.test(node.textContent))")
            names = page.evaluate("[...document.querySelectorAll('#charts .label')].map((node) => node.textContent)")
            check(names == robots.JOINTS, f"the joints' names: {names}")
            check(page.evaluate("document.querySelector('#scene-panel').hidden"), "it is no PushT")
            check(
                page.evaluate("document.querySelectorAll('#observed .chart').length") == robots.SURROUNDINGS, "what else it sees"
            )
            check_fits(page)
            check_quiet(page, scene.url)
            page.close()


def shows_cameras(browser, binary):
    """The frames of two cameras, which came as pixels, are pictures that move."""
    with scenes.cameras(binary) as scene:
        page = browser.page(width=360, height=780)
        page.open(scene.url)
        page.wait("document.querySelectorAll('#cameras figure').length === 2", 60)
        page.wait("[...document.querySelectorAll('#cameras img')].every((picture) => picture.naturalWidth === 96)")
        first = page.evaluate("document.querySelector('#cameras img').src")
        page.wait(f"document.querySelector('#cameras img').src !== {json.dumps(first)}")
        check(page.evaluate("document.querySelector('#scene-panel').hidden"), "two cameras are no PushT")
        check_fits(page)
        check_quiet(page, scene.url)
        page.close()


def shows_many_robots(browser, binary):
    """Of 32 robots each can be found."""
    with scenes.crowd(binary) as scene:
        for width in [1200, 360]:
            page = browser.page(width=width, height=780)
            page.open(scene.url)
            page.wait("document.querySelectorAll('#robots li').length === 32", 60)
            page.wait("document.querySelector('#robot-count').textContent.includes('2 stopped')")
            check_fits(page)
            page.evaluate("document.querySelector('#filter').focus()")
            page.type("stopped")
            page.wait("document.querySelectorAll('#robots li').length === 2")
            page.click("#robots li a")
            page.wait(f"{STATE} === 'stopped'")
            check(page.text("#robot-id") == "cell2/arm2", page.text("#robot-id"))
            check(page.evaluate("location.hash") == "#robot=cell2%2Farm2", "the address names the robot")
            check(not page.evaluate("document.querySelector('#resume-all').hidden"), "all can be resumed")
            check_quiet(page, scene.url)
            page.close()


def shows_that_there_is_none(browser, binary):
    """Without a robot the page says so, and shows the daemon."""
    with scenes.serve(binary, ROOT / "policies/pusht") as scene:
        page = browser.page(width=360, height=780)
        page.open(scene.url)
        page.wait("!document.querySelector('#no-robots').hidden")
        check(page.evaluate("document.querySelector('#who').hidden"), "nothing of a robot is shown")
        page.wait("document.querySelectorAll('#counters div').length > 0")
        check_fits(page)
        check_quiet(page, scene.url)
        # A daemon that goes away is told of, and one that comes back is found.
        scene.daemon.kill()
        page.wait("document.querySelector('#link').textContent === 'reconnecting'")
        page.wait("document.querySelector('#alerts').textContent.length > 0")
        page.close()


def shows_text_as_text(browser, binary):
    """Names full of markup, in the policy's folder, in a robot file and, could a daemon tell of them, in ids and reasons."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        policy = folder / MARKUP.replace("/", "\u2215")
        policy.symlink_to(ROOT / "policies/pusht")
        robot_file = folder / "robot.yaml"
        robot_file.write_text(
            "robot: ..\ncontrol_hz: 10\nclock: monotonic\nactions:\n"
            f"  - {{name: {json.dumps(MARKUP)}, position: [0, 512]}}\n  - {{name: y, position: [0, 512]}}\n"
        )
        with (
            scenes.serve(binary, policy, "--robot", str(robot_file), "--solver", "ddim", "--steps", "2") as scene,
            robots.Robots(scene.daemon, [".", "..", "a/../b"], 10),
        ):
            page = browser.page(width=360, height=780)
            page.open(scene.url + "/#robot=..")
            page.wait(f"{STATE} === 'running'", 60)
            page.wait("document.querySelector('#charts .label')?.textContent.startsWith('<img')")
            check(page.text("#charts .label") == MARKUP, "the dimension's name is shown as it is")
            check("<img" in page.text("#runs"), "the policy's name is shown as it is")
            # The ids of which a browser would make another path.
            page.click("#stop")
            page.wait(f"{STATE} === 'stopped'")
            others = {robot: state["state"] for robot, state in status(scene).items() if robot != ".."}
            check("stopped" not in others.values(), f"only this robot is stopped, and not {others}")
            check_harmless(page)
            check_fits(page)
            check_quiet(page, scene.url)
            page.close()

            page = browser.page(width=360, height=780)
            page.call("Page.addScriptToEvaluateOnNewDocument", source=FAKE % json.dumps(MARKUP))
            page.open(scene.url)
            page.wait("document.querySelectorAll('#robots li').length === 2", 20)
            page.click("#robots li a")
            page.wait("document.querySelector('#who').hidden === false")
            check(page.text("#robot-id") == MARKUP, page.text("#robot-id"))
            check(page.text("#robot-reason").startswith(MARKUP), "the reason is shown as it is")
            page.wait("document.querySelectorAll('#cameras figure').length === 1")
            check(MARKUP in page.text("#alerts") and MARKUP in page.text("#cameras"), "warnings and cameras too")
            page.click("#resume")
            page.wait("document.querySelector('#confirm').open")
            check(MARKUP in page.text("#confirm-title"), "the question too")
            check_harmless(page)
            check_fits(page)
            page.close()


# Stands in for a daemon whose robots have ids that none can have.
FAKE = """
const text = %s;
const robot = (id) => ({ id, state: "stopped", reason: text, for: 1, silent: 1, episode: text, sequence: 1, chunks: 1,
  commands: 1, limitViolations: 0 });
const events = {
  hello: { version: text, takesOrders: true, policies: [{ name: text, features: [{ name: text, count: 1 }], cameras: [],
    horizon: 16, actionSteps: 8, actionDim: 1, weightBytes: 1,
    sampler: { solver: text, steps: 10, method: text, window: 1, kernel: text, budgetMs: 0 } }] },
  status: { failures: [], warnings: [text], age: 1, stop: "1", robots: [robot(text), robot("b")], statistics: { uptime: 1,
    counters: {}, rejected: { [text]: 1 }, requests: {}, latency: {} } },
  robot: { id: text, hasFile: true, dimensions: [{ name: text }] },
  observation: { episode: text, sequence: 1, received: 1, values: { [text]: [1] } },
  frame: { camera: text, sequence: 1, url: "", problem: text },
};
const real = window.fetch;
window.fetch = (address, options) => {
  if (!String(address).startsWith("/events")) return real(address, options);
  const body = Object.entries(events).map(([name, data]) => `event: ${name}\\ndata: ${JSON.stringify(data)}\\n\\n`).join("");
  const stream = new ReadableStream({ start: (it) => it.enqueue(new TextEncoder().encode(body)) });
  return Promise.resolve(new Response(stream));
};
"""


def status(scene):
    """The robots of a daemon's next heartbeat."""
    import msgpack

    listener = scene.daemon.subscriber("status")
    for _ in range(2):
        check(listener.poll(5000), "no heartbeat")
        message = listener.recv_multipart()
    listener.close()
    return msgpack.unpackb(message[-1], strict_map_key=False)["robots"]


def check_harmless(page):
    made = page.evaluate("document.querySelectorAll('body script, body img:not([src=\"/icon.svg\"], #cameras img)').length")
    check(made == 0, f"{made} elements were made of text")
    check(page.evaluate("document.title").endswith("denoised"), "no script of a text has run")


def asks_for_the_token(browser, binary):
    """The page asks for the token, sends it in no address, and forgets one that is wrong."""
    with scenes.serve(binary, ROOT / "policies/pusht", "--http-token") as scene:
        token = scenes.logged(scene.folder / "log", re.compile(r"the token of the live page is (\S+)"))
        page = browser.page(width=360, height=780)
        page.open(scene.url)
        for text, is_right in [("0" * 32, False), (token, True)]:
            page.wait("!document.querySelector('#token-form').hidden")
            check(page.evaluate("document.querySelector('#columns').hidden"), "nothing is shown without")
            page.evaluate("document.querySelector('#token').focus()")
            page.type(text)
            page.click("#token-form button")
            if is_right:
                page.wait("document.querySelector('#link').textContent === 'live'")
            else:
                page.wait("document.querySelector('#alerts').textContent.includes('not the daemon')")
        page.click("#stop-all")
        page.wait("document.querySelector('#toast').textContent.includes('every robot')")
        check(not any(token in address for address in page.requests()), "no address has the token")
        # Another load of the same tab has it still.
        page.open(scene.url)
        page.wait("document.querySelector('#link').textContent === 'live'")
        check_fits(page)
        page.close()


ATTACK = """<!doctype html><title>attack</title><script>
const [target, done] = ["%s", []];
const tries = [
  {}, { mode: "no-cors" }, { headers: { "Denoised-Order": "stop" } },
  { mode: "no-cors", headers: { "Content-Type": "text/plain" }, body: "x" },
  { headers: { "Content-Type": "application/json", "Denoised-Order": "stop" }, body: "{}", credentials: "include" },
];
Promise.allSettled(tries.map((options) => fetch(target + "/orders/stop?robots=all", { method: "POST", ...options })))
  .then((all) => Promise.allSettled([...all, fetch(target + "/events").then((answer) => answer.text())]))
  .then((all) => { document.title = "done " + all.filter((one) => one.status === "fulfilled" && one.value?.ok).length; });
</script>"""


def another_page_gives_no_orders(browser, binary):
    """A page of another server, in the same browser, stops nobody and reads nothing; nor can it frame the live page."""
    with scenes.serve(binary, ROOT / "policies/pusht", "--solver", "ddim", "--steps", "2") as scene:

        class Attacker(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = (ATTACK % scene.url).encode()
                if self.path == "/frame":
                    body = f"<!doctype html><title>frame</title><iframe src='{scene.url}'></iframe>".encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Attacker)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with robots.Robots(scene.daemon, ["arm1"], 10):
            while status(scene).get("arm1", {}).get("state") != "running":
                pass
            page = browser.page()
            for name in ["127.0.0.1", "localhost"]:
                page.open(f"http://{name}:{server.server_port}/")
                page.wait("document.title.startsWith('done')", 30)
                check(page.evaluate("document.title") == "done 0", f"an answer was read: {page.evaluate('document.title')}")
            check(status(scene)["arm1"]["state"] == "running", "nobody was stopped")
            page.open(f"http://127.0.0.1:{server.server_port}/frame")
            page.wait("document.title === 'frame'")
            page.wait("new Promise((done) => setTimeout(() => done(true), 1000))")
            check(any("frame" in text for text in page.complaints()), "the page is in no frame")
            page.close()
        server.shutdown()


CHECKS = [
    watches_and_stops,
    shows_many_dimensions,
    shows_cameras,
    shows_many_robots,
    shows_that_there_is_none,
    shows_text_as_text,
    asks_for_the_token,
    another_page_gives_no_orders,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--only", help="the checks whose names have this")
    options = parser.parse_args()
    with Browser() as browser:
        chosen = [one for one in CHECKS if not options.only or options.only in one.__name__]
        return run(chosen, browser, options.binary)


if __name__ == "__main__":
    sys.exit(main())
