import io
import math
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console, Group

from darts.runs.progress import ProgressLine, Rate, format_time, value_table


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def make(stream, clock, **options):
    sizes = {"total_steps": 30, "steps_per_epoch": 10, "epochs": 3, "title": "search"}
    return ProgressLine(**{**sizes, **options}, stream=stream, clock=clock)


def run(progress, clock, steps, seconds=1.0, ends=True, **values):
    """Some steps; an epoch has ten."""
    for _ in range(steps):
        clock.now += seconds
        progress.advance(images=64, **values)
        if ends and progress.step % 10 == 0:
            progress.epoch_ended()


def test_one_plain_line_an_epoch():
    clock, stream = Clock(), io.StringIO()
    with make(stream, clock) as progress:
        run(progress, clock, 30, 0.5, loss=1.23456, accuracy=87.5, learning_rate=0.1, macs="12 M")
    assert stream.getvalue().splitlines() == [
        f"search  epoch {epoch}/3  step {10 * epoch}/30  loss 1.2346  accuracy 87.50 %  lr 0.1"
        f"  macs 12 M  images/s 128  left 0:00:{left}"
        for epoch, left in [(1, "10"), (2, "05"), (3, "00")]
    ]


def test_long_epochs_print_at_the_interval():
    clock, stream = Clock(), io.StringIO()
    with make(stream, clock, interval=30) as progress:
        run(progress, clock, 20, seconds=7)
    # The fifth step is the first after 30 s; the count starts again at each line.
    steps = [line.split("step ")[1].split("/")[0] for line in stream.getvalue().splitlines()]
    assert steps == ["5", "10", "15", "20"]


def test_message_stands_on_its_own_line():
    stream = io.StringIO()
    with make(stream, Clock()) as progress:
        progress.message("[bold]as it is[/bold]")
    assert stream.getvalue() == "[bold]as it is[/bold]\n"


def test_pipe_gets_no_control_codes_whatever_the_environment_says():
    script = (
        "from darts.runs.progress import ProgressLine\n"
        "with ProgressLine(total_steps=2, steps_per_epoch=1, epochs=2, title='t') as progress:\n"
        "    for _ in range(2):\n"
        "        progress.advance(images=1, loss=1.0)\n"
        "        progress.epoch_ended()\n"
        "    progress.message('done')\n"
        "import sys; assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        env={"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm-256color"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 3
    assert not any(byte < 32 and byte != 10 for byte in done.stderr)


def test_terminal_shows_everything(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    clock, stream = Clock(), Terminal()
    with make(stream, clock) as progress:
        run(progress, clock, 12, loss=0.5, accuracy=50.0, learning_rate=0.025)
        progress.message("[bold] derived")
    shown = stream.getvalue()
    for text in [
        "search",
        "epoch 2/3",
        "step 12/30",
        "left 0:00:18",
        "[bold] derived",
        "━",
        "\x1b[",
    ]:
        assert text in shown
    last = shown.rindex("loss")
    assert [word in shown[last:] for word in ("0.5000", "50.00 %", "0.025", "64")] == [True] * 4
    assert "\x1b[?25h" in shown[last:], "the cursor must come back"


def test_dumb_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    clock, stream = Clock(), Terminal()
    with make(stream, clock) as progress:
        run(progress, clock, 10)
    assert "\x1b" not in stream.getvalue()
    assert "epoch 1/3" in stream.getvalue()


def test_time_left_right_after_a_resume_counts_only_own_steps():
    clock = Clock()
    with make(io.StringIO(), clock, start_step=20) as progress:
        assert progress.time_left is None
        assert progress.images_per_second is None
        run(progress, clock, 1, seconds=3)
        assert progress.time_left == pytest.approx(9 * 3)
        assert progress.images_per_second == pytest.approx(64 / 3)


def test_time_before_entering_counts_nothing():
    clock = Clock()
    progress = make(io.StringIO(), clock)
    clock.now += 100
    with progress:
        run(progress, clock, 2)
        assert progress.time_left == pytest.approx(28)


def test_time_left_counts_the_ends_of_epochs_and_the_pace_does_not():
    clock = Clock()
    with make(io.StringIO(), clock) as progress:
        run(progress, clock, 10, ends=False)
        assert progress.time_left == pytest.approx(20)  # No end of an epoch is known.
        clock.now += 6
        progress.epoch_ended()
        assert progress.time_left == pytest.approx(20 + 2 * 6)
        run(progress, clock, 10, ends=False)
        # The end that has just begun is still to come.
        assert progress.time_left == pytest.approx(10 + 2 * 6)
        clock.now += 2
        progress.epoch_ended()
        assert progress.time_left == pytest.approx(10 + 4)  # The mean of 6 and 2.
        assert progress.images_per_second == pytest.approx(64)
        run(progress, clock, 10, ends=False)
        clock.now += 4
        progress.epoch_ended()
        assert progress.time_left == 0


def test_a_resumed_run_expects_only_the_ends_that_are_left():
    clock = Clock()
    with make(io.StringIO(), clock, start_step=15) as progress:
        run(progress, clock, 5, ends=False)
        clock.now += 3
        progress.epoch_ended()
        assert progress.time_left == pytest.approx(10 + 3)


def test_values_left_out_stay():
    clock, stream = Clock(), io.StringIO()
    with make(stream, clock) as progress:
        run(progress, clock, 1, loss=math.nan)
        run(progress, clock, 9)
    assert "loss nan" in stream.getvalue()


def test_several_steps_at_once_end_their_epoch():
    clock, stream = Clock(), io.StringIO()
    with make(stream, clock) as progress:
        for _ in range(3):
            clock.now += 1
            progress.advance(images=64 * 4, steps=4)
        assert progress.step == 12
        progress.epoch_ended()
    assert stream.getvalue().count("\n") == 1


def test_rate_forgets_an_old_pace():
    rate = Rate()
    rate.update(60, steps=1, images=10)
    # One step of a minute, then one of another: weights 1/e and 1.
    rate.update(60, steps=3, images=30)
    weight = math.exp(-1)
    assert rate.images_per_second == pytest.approx((10 * weight + 30) / (60 * weight + 60))
    for _ in range(1000):
        rate.update(1, steps=1, images=5)
    assert rate.time_left(7) == pytest.approx(7, abs=1e-4)
    assert rate.images_per_second == pytest.approx(5, abs=1e-4)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-:--:--"),
        (0, "0:00:00"),
        (59.6, "0:01:00"),
        (3723, "1:02:03"),
        (180000, "2d 2:00:00"),
    ],
)
def test_format_time(seconds, text):
    assert format_time(seconds) == text


def test_a_line_says_what_is_known_when_its_epoch_has_ended():
    clock, stream = Clock(), io.StringIO()
    with make(stream, clock, total_steps=10, epochs=1) as progress:
        run(progress, clock, 10, ends=False, derived_network="9M")
        progress.epoch_ended(derived_network="3M", drawing=["normal  0: skip k-1"])
    # A drawing is for terminals.
    assert stream.getvalue().splitlines() == [
        "search  epoch 1/1  step 10/10  derived network 3M  images/s 64  left 0:00:00"
    ]


def picture(width, rows):
    """What a terminal shows of some epochs."""
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(Group(*value_table(rows, width)))
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 160])
def test_columns_stay_where_they_are(width):
    heads = set()
    for loss, accuracy, pace in (("2.3026", "9.38 %", "8.25"), ("0.0001", "100.00 %", "12345")):
        row = {"epoch": "7", "loss": loss, "accuracy": accuracy, "lr": "0.025", "images/s": pace,
               "derived network": "36.42M multiply-adds, 3.662M parameters", "skips": "1 of 8",
               "pools": "0 of 8", "entropy": "1.00", "gap": "53.6 %"}  # fmt: skip
        lines = picture(width, [{**row, "epoch": "6"}, row])
        assert max(map(len, lines)) <= width
        text = "\n".join(lines)
        assert all(value in text for value in row.values())
        heads.add(lines[0])
        assert len(lines) <= 6
    assert len(heads) == 1


def test_the_terminal_remembers_some_epochs_and_shows_the_cell(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    clock, stream = Clock(), Terminal()
    with make(stream, clock, total_steps=100, epochs=10) as progress:
        for epoch in range(8):
            run(progress, clock, 10, ends=False, loss=float(epoch))
            progress.epoch_ended(drawing=["normal  0: skip k-1"])
    shown = stream.getvalue()
    last = shown[shown.rindex("loss") :]
    assert [f"{epoch}.0000" in last for epoch in range(8)] == [False] * 3 + [True] * 5
    assert "normal  0: skip k-1" in last
    assert "\x1b[38" not in shown, "no colours"
