"""What a soak found: its figures, what does not hold, and the exit code that says so."""

import argparse
import json
import pathlib
import sys

from daemon import ROOT, Failed


class Report:
    """The outcome of one soak: exit code 1 where anything does not hold."""

    def __init__(self, name):
        self.name = name
        self.failures = []

    def expect(self, holds, failure):
        """Notes a failure unless something holds."""
        if not holds:
            self.failures.append(failure)

    def end(self, figures=None):
        """Prints the figures and what does not hold; returns the exit code."""
        if figures is not None:
            print(json.dumps(figures, indent=2))
        for failure in self.failures:
            print(f"{self.name}: {failure}", file=sys.stderr)
        return 1 if self.failures else 0


def options(documentation):
    """A parser of what every soak takes."""
    parser = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / ".build/release/denoised"))
    parser.add_argument("--policy", default=str(ROOT / "policies/pusht"))
    return parser


def table(header, rows):
    """Lines of aligned columns, the first to the left."""
    cells = [header] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        others = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join([row[0].ljust(widths[0])] + others))
    return lines


def run(soak):
    """Runs a soak, `soak(Report)`, as a program: its name is the program's."""
    report = Report(pathlib.Path(sys.argv[0]).stem)
    try:
        sys.exit(soak(report))
    except Failed as failure:
        sys.exit(f"{report.name}: {failure}")
