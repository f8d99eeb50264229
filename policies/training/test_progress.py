"""The line of progress, on a terminal and in a log, and what the trainings share. Needs PyTorch alone."""

import contextlib
import io
import json
import os
import pty
import struct
import tempfile
import termios
import unittest
from fcntl import ioctl
from pathlib import Path
from unittest import mock

from progress import ProgressBar, ProgressLine, progress_bar
from training_run import load_checkpoint, refuse_to_overwrite, run_training, save_checkpoint


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal:
    """A stream that leads to a terminal of so many columns, and what was written to it."""

    def __init__(self, columns: int):
        self.leader, follower = pty.openpty()
        ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream = os.fdopen(follower, "w")

    def written(self) -> str:
        """All of it. Nothing can be written any more."""
        self.stream.close()
        found = b""
        # When the last byte is read, a terminal that nobody has open is an error.
        with contextlib.suppress(OSError):
            while data := os.read(self.leader, 1 << 16):
                found += data
        return found.decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self.leader)


class Line(unittest.TestCase):
    line = ProgressLine("training", 0.5, 60, 60, "loss 0.0123")

    def test_it_has_the_share_and_the_time_left(self):
        text = f"training  {'█' * 15}{'░' * 15}   50 %  1:00, 1:00 left  loss 0.0123"
        self.assertEqual(self.line.text(79, is_colored=False), text)
        self.assertEqual(self.line.plain, "training: 50 %, 1:00 left, loss 0.0123")
        self.assertTrue(ProgressLine("training", 0, 3723, None).text(79, is_colored=False).endswith("  0 %  1:02:03"))

    def test_no_line_is_wider_than_the_terminal(self):
        for columns in range(1, 120):
            text = self.line.text(columns, is_colored=False)
            self.assertLessEqual(len(text), columns)
            self.assertNotIn("\x1b", text)
            colored = self.line.text(columns, is_colored=True).replace("\x1b[32m", "").replace("\x1b[0m", "")
            self.assertEqual(colored, text)
        self.assertEqual(self.line.text(60, is_colored=False), "training  ██████░░░░░░░   50 %  1:00, 1:00 left  loss 0.0123")
        self.assertEqual(self.line.text(44, is_colored=False), "training  █████░░░░░   50 %  1:00, 1:00 left")
        self.assertEqual(self.line.text(20, is_colored=False), "training   50 %")


class Bar(unittest.TestCase):
    def setUp(self):
        self.terminal, self.clock = Terminal(columns=60), Clock()
        self.addCleanup(self.terminal.close)

    def bar(self, **environment: str) -> ProgressBar:
        environment = {"TERM": "xterm", "NO_COLOR": ""} | environment
        with mock.patch.dict(os.environ, environment):
            return ProgressBar("steps", 300, first=100, stream=self.terminal.stream, clock=self.clock)

    def test_one_line_is_drawn_again_and_taken_away(self):
        bar = self.bar(NO_COLOR="1")
        self.clock.now += 10
        bar.show(150, "loss 1")
        self.clock.now += 0.05
        bar.show(151)
        bar.note("kept")
        bar.close()
        # 50 of the 200 steps of this run took 10 s. The second call comes too early.
        drawn = "\rsteps  ██████████░░░░░░░░░░   50 %  0:10, 0:30 left  loss 1"
        found = self.terminal.written()
        self.assertEqual(found, f"{drawn}\x1b[K\r\x1b[Kkept\r\n")
        self.assertLess(len(drawn) - 1, 60)

    def test_colour_is_for_those_who_want_it(self):
        self.bar().show(200)
        self.assertIn("\x1b[32m", self.terminal.written())

    def test_a_dumb_terminal_gets_plain_lines(self):
        bar = self.bar(TERM="dumb")
        bar.show(200)
        bar.note("kept")
        self.assertEqual(self.terminal.written(), "kept\r\n")

    def test_a_log_gets_a_line_from_time_to_time(self):
        stream = io.StringIO()
        with progress_bar("steps", 100, stream=stream, log_interval=10, clock=self.clock) as bar:
            for step in range(1, 31):
                self.clock.now += 1
                bar.show(step)
        self.assertEqual(stream.getvalue().splitlines(), [
            "steps: 10 %, 1:30 left", "steps: 20 %, 1:20 left", "steps: 30 %, 1:10 left",
        ])  # fmt: skip


class CountingTrainer:
    step_count = 0

    def step(self) -> float:
        self.step_count += 1
        return float(self.step_count)

    def learning_rate(self) -> float:
        return 1e-3

    def save(self, path: Path) -> None:
        save_checkpoint({"shape": {"a": 1}, "step_count": self.step_count}, path)


class Run(unittest.TestCase):
    def test_a_log_gets_the_mean_loss_and_the_checkpoint_is_of_the_last_step(self):
        with tempfile.TemporaryDirectory() as name, mock.patch("sys.stdout", io.StringIO()) as output:
            folder = Path(name)
            refuse_to_overwrite(folder / "checkpoint.pt")
            run_training(CountingTrainer(), folder, 7, every=3, checkpoint_every=4, remark=lambda: "saved")
            records = [json.loads(line) for line in (folder / "loss.jsonl").read_text().splitlines()]
            checkpoint = load_checkpoint(folder / "checkpoint.pt", shape={"a": 1})
            with self.assertRaisesRegex(SystemExit, "its shape is .* but this run asks for"):
                load_checkpoint(folder / "checkpoint.pt", shape={"a": 2})
            with self.assertRaisesRegex(SystemExit, "give --resume"):
                refuse_to_overwrite(folder / "checkpoint.pt")
        self.assertEqual([(r["step"], r["loss"]) for r in records], [(3, 2.0), (6, 5.0), (7, 7.0)])
        self.assertEqual(checkpoint["step_count"], 7)
        lines = output.getvalue().splitlines()
        self.assertEqual([line.split("  ")[0] for line in lines], ["step 3/7", "saved", "step 6/7", "step 7/7", "saved"])
        self.assertNotIn("\x1b", output.getvalue())


if __name__ == "__main__":
    unittest.main()
