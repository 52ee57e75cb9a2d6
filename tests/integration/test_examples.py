"""test_examples.py - the scripts that show what fetchd is for; they check what they show."""

from __future__ import annotations

import os
import re
import subprocess

from harness.wait import BINARY, REPO, SLOW


def run_example(name: str) -> str:
    """What it says, once it ended well."""
    ended = subprocess.run(
        [REPO / "scripts" / "example", name],
        env={**os.environ, "FETCHD_BIN": BINARY},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=50 * SLOW,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def test_five_ids_of_a_second_each_come_together_in_about_one() -> None:
    out = run_example("together")
    apart, together = (float(s) for s in re.findall(r"took ([0-9.]+) s", out))
    assert apart >= 5 and 1 <= together < 2, out
    assert out.count("< ITEM 100") == 5


def test_a_page_is_complete_at_the_deadline_without_the_stalled_part() -> None:
    out = run_example("stalled")
    whole, partial = re.findall(r"< (DONE 100 0 0 ms=.*)", out)
    assert "partial" not in whole and partial.endswith(" partial=100"), out
