"""Checks the pages that commands make, `report` and `explain`, in a headless Chromium.

    python3 Tests/Browser/made_pages.py --binary .build/release/denoised [--pictures FOLDER]

Prints what it checks, and exits 1 with the first thing that does not hold. Needs Debian's chromium or
chromium-headless-shell.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from browser import Browser
from checks import check, check_fits, check_quiet, run

ROOT = pathlib.Path(__file__).resolve().parents[2]
POLICY = str(ROOT / "policies/pusht")
# Few steps: what is shown matters here, and not how well the policy plays.
QUICK = ["--solver", "ddim", "--steps", "4"]
SIZES = [(1200, False), (1200, True), (360, False)]


class Makes:
    """What makes pages, in a folder of its own."""

    def __init__(self, binary, folder, pictures):
        self.binary, self.folder, self.pictures = pathlib.Path(binary).resolve(), pathlib.Path(folder), pictures

    def run(self, *arguments):
        """What a command prints."""
        ended = subprocess.run([self.binary, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=120)
        check(ended.returncode == 0, f"{arguments}: {ended.returncode}: {ended.stderr}")
        return ended.stdout

    def each_size(self, browser, name):
        """The page in each size and colour scheme: it fits, and the browser is content."""
        url = (self.folder / name).as_uri()
        for width, dark in SIZES:
            page = browser.page(width=width, height=800, dark=dark)
            page.open(url)
            check_quiet(page, url)
            check_fits(page)
            if self.pictures:
                file = pathlib.Path(self.pictures) / f"{pathlib.Path(name).stem}-{width}{'-dark' if dark else ''}.png"
                file.write_bytes(page.picture())
            yield page
            page.close()


def paper(page):
    """The colour of the page's ground: red, green and blue."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return [int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]


def prints_light(page):
    """On paper a page is light, also if the screen is dark."""
    page.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    check(min(paper(page)) > 200, f"the ground of a printed page: {paper(page)}")


def a_report_shows_its_runs(browser, makes):
    """Two runs of the same seeds, one of them with a budget: a row for each in the tables, and the differences by seed."""
    runs = {"free": [], "kept": ["--budget-ms", "60000"]}
    for name, options in runs.items():
        out = makes.run("sim", "--policy", POLICY, *QUICK, "--window", "1", "--episodes", "3", "--json", *options)
        (makes.folder / f"{name}.json").write_text(out)
    makes.run("report", "free.json", "kept.json", "-o", "report.html")
    chunks = {name: json.loads((makes.folder / f"{name}.json").read_text())["chunks"] for name in runs}
    for page in makes.each_size(browser, "report.html"):
        check(min(paper(page)) > 200 or max(paper(page)) < 60, f"light or dark: {paper(page)}")
        rows = page.evaluate("[...document.querySelectorAll('#latency tr')].map((row) => row.innerText)")
        check(rows[1].endswith("\t\u2013\t\u2013"), f"without a budget nothing is in time or coarse: {rows}")
        check(rows[2].endswith("\t100.0 %\t0.0 %"), f"all chunks in time, none coarse: {rows}")
        text = page.evaluate("document.body.innerText")
        check("budget 60000 ms" in text, "the budget")
        check(all(str(count) in text for count in chunks.values()), f"the numbers of chunks, {chunks}")
        check(page.evaluate("document.querySelectorAll('svg').length") > 4, "charts")
        prints_light(page)


def an_explanation_follows_its_slider(browser, makes):
    """The slider moves the number, the marks and the plans of all three samplers; a click in a map does it, too."""
    makes.run("explain", "--policy", POLICY, "--seed", "3", "--solver", "ddpm", "--window", "6", "-o", "explain.html")
    plans = "[...document.querySelectorAll('.plan')].map((line) => line.getAttribute('points')).join(' ')"
    marks = "[...document.querySelectorAll('.now')].map((mark) => mark.getAttribute('x')).join(' ')"

    def move(page, value):
        page.evaluate(
            f"(() => {{ const slider = document.querySelector('#pass'); slider.value = {value};"
            " slider.dispatchEvent(new Event('input')); })()"
        )
        return page.text("#number"), page.evaluate(plans), page.evaluate(marks)

    for page in makes.each_size(browser, "explain.html"):
        check(page.evaluate("document.querySelectorAll('.panel').length") == 3, "three samplers")
        check(not page.evaluate("document.querySelector('.controls').hidden"), "the slider is there")
        last = page.evaluate("Number(document.querySelector('#pass').max)")
        first, end = move(page, 1), move(page, last)
        check(first[0] == f"1 of {last}" and end[0] == f"{last} of {last}", f"{first[0]}, {end[0]}")
        check(first[1] != end[1], "another plan after the first pass than after the last")
        check(first[2] != end[2], "the marks move")
        move(page, last)
        page.click(".map")
        check(page.text("#number") != end[0], "a click in the middle of a map goes there")
        prints_light(page)


def an_explanation_of_another_robot_has_lines(browser, makes):
    """Of a policy that is not PushT's, each dimension of the actions has a line, over that of sequential sampling."""
    policy = str(ROOT / "Tests/PolicyTests/Fixtures/processors")
    makes.run("explain", "--policy", policy, "--window", "3", "-o", "dimensions.html")
    for page in makes.each_size(browser, "dimensions.html"):
        check("Each dimension has a line; the dashed ones" in page.text("#passes"), page.text("#passes"))
        for line in ["plan", "reference"]:
            counts = page.evaluate(
                f"[...document.querySelectorAll('.panel')].map((panel) => panel.querySelectorAll('.{line}').length)"
            )
            check(counts == [2, 2, 2], f"lines of {line} in each panel: {counts}")


CHECKS = [a_report_shows_its_runs, an_explanation_follows_its_slider, an_explanation_of_another_robot_has_lines]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True)
    parser.add_argument("--pictures", help="a folder for what the browser shows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="denoised-pages-") as folder, Browser() as browser:
        return run(CHECKS, browser, Makes(options.binary, folder, options.pictures))


if __name__ == "__main__":
    sys.exit(main())
