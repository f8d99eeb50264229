"""How far a run has come: one line that is drawn again in its place on a terminal, plain lines elsewhere."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

WIDEST_BAR, NARROWEST_BAR = 30, 6


def clock_text(seconds: float) -> str:
    """Minutes and seconds, and hours if there are any: `0:07`, `1:02:03`."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@dataclass(frozen=True)
class ProgressLine:
    """What a line of progress says."""

    work: str
    # 0 to 1.
    share: float
    # Seconds since the run began or was resumed, and those that are left at its pace; None: nothing is done yet.
    elapsed: float
    left: float | None
    remark: str = ""

    @property
    def plain(self) -> str:
        """A line of a log."""
        left = f", {clock_text(self.left)} left" if self.left is not None else ""
        return f"{self.work}: {int(self.share * 100)} %{left}" + (f", {self.remark}" if self.remark else "")

    def text(self, columns: int, is_colored: bool) -> str:
        """At most `columns` wide. A narrow line goes without the bar, then without the remark, then without the times."""
        times = clock_text(self.elapsed) + (f", {clock_text(self.left)} left" if self.left is not None else "")
        parts = [f"{int(self.share * 100):3} %", times] + ([self.remark] if self.remark else [])

        def width() -> int:
            return len(self.work) + sum(2 + len(part) for part in parts)

        while width() > columns and len(parts) > 1:
            parts.pop()
        size = min(columns - width() - 2, WIDEST_BAR)
        text = "  ".join([self.work, *parts])[:columns]
        if size < NARROWEST_BAR:
            return text
        full = int(self.share * size)
        done, rest = "█" * full, "░" * (size - full)
        return "  ".join([self.work, (f"\x1b[32m{done}\x1b[0m" if is_colored else done) + rest, *parts])


class ProgressBar:
    """Shows progress on `stream`. Lines that go to the same stream meanwhile belong into `note`."""

    # Seconds from one drawing to the next.
    INTERVAL = 0.1

    def __init__(
        self,
        work: str,
        total: int,
        first: int = 0,
        stream: TextIO | None = None,
        log_interval: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`first` of `total` parts were done by an earlier run, and say nothing about this one's pace.

        A stream that is no terminal gets a plain line every `log_interval` seconds; None: it gets none.
        """
        self.work, self.total, self.first = work, total, first
        self.stream, self.log_interval, self.clock = stream or sys.stdout, log_interval, clock
        self.started = clock()
        # When the line on the terminal was drawn; None: it is not there. When the last plain line was written.
        self.drawn: float | None = None
        self.logged = self.started
        # A terminal whose cursor can be moved.
        self.is_shown = self.stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
        self.is_colored = not os.environ.get("NO_COLOR")

    @property
    def elapsed(self) -> float:
        return self.clock() - self.started

    def left(self, done: int) -> float | None:
        """Seconds, at the pace so far."""
        return self.elapsed * (self.total - done) / (done - self.first) if done > self.first else None

    def show(self, done: int, remark: str = "") -> None:
        """Draws the line, or writes a plain one, if the last is long enough ago."""
        now = self.clock()
        line = ProgressLine(self.work, min(1.0, done / max(1, self.total)), self.elapsed, self.left(done), remark)
        if not self.is_shown:
            if self.log_interval is not None and now - self.logged >= self.log_interval:
                self.logged = now
                self.note(line.plain)
            return
        if self.drawn is not None and now - self.drawn < self.INTERVAL:
            return
        self.drawn = now
        # A terminal may begin a new line after its last column.
        self.stream.write(f"\r{line.text(self._columns() - 1, self.is_colored)}\x1b[K")
        self.stream.flush()

    def note(self, line: str) -> None:
        """Writes a line that stays. The next `show` draws the bar below it."""
        self.close()
        self.stream.write(line + "\n")
        self.stream.flush()

    def close(self) -> None:
        """Takes the line away."""
        if self.drawn is not None:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
        self.drawn = None

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80


@contextmanager
def progress_bar(*arguments, **options) -> Iterator[ProgressBar]:
    """A bar that is taken away however the work ends."""
    bar = ProgressBar(*arguments, **options)
    try:
        yield bar
    finally:
        bar.close()
