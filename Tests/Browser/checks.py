"""What the checks of pages have in common."""

import traceback


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def check_quiet(page, url):
    """The browser complained about nothing, and asked for nothing of another server."""
    check(not page.complaints(), f"the browser complains: {page.complaints()}")
    others = [address for address in page.requests() if not address.startswith((url, "data:", "about:"))]
    check(not others, f"the page asks for {others}")


def check_fits(page):
    """Nothing is wider than the window."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    width = page.evaluate("innerWidth")
    check(wide <= width, f"the page is {wide} pixels wide in a window of {width}")


def run(checks, *arguments):
    """Runs checks, says which, and ends with the first that does not hold. Returns the exit code."""
    for one in checks:
        print(f"{one.__name__}: {one.__doc__}", flush=True)
        try:
            one(*arguments)
        except Exception:
            traceback.print_exc()
            return 1
    return 0
