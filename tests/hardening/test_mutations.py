"""Damaged models by the hundred: no crash, no hang, no bug, and no more memory than their size explains.

Each of the campaigns is a program of its own, so that what it forks from is small.
"""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from hardening.children import judge
from hardening.conftest import ROOT


def run_campaign(name: str, *arguments: object) -> Counter[str]:
    """How many files ended how; AssertionError for those that ended as none may."""
    ended = subprocess.run(
        [sys.executable, "-m", f"hardening.{name}", *map(str, arguments)],
        cwd=ROOT / "tests",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    wrong = [f"{row['file']} {row['wrong']}" for row in rows if row["wrong"]]
    counts = Counter("wrong" if row["wrong"] else row["said"] for row in rows)
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert not wrong, f"{dict(counts)}\n" + "\n".join(wrong)
    print(dict(counts))
    return counts


def test_damaged_tflite_files_are_opened_or_refused() -> None:
    counts = run_campaign("campaign_tflite", 0, 60, 0)
    assert counts.total() == 60
    assert counts["refused"] > 20
    assert counts["compiled"] > 5


def test_what_takes_too_much_memory_or_time_or_crashes_is_seen() -> None:
    assert "MemoryError" in judge(lambda: str(len(bytearray(1 << 30))), file_bytes=0, seconds=9).wrong
    assert "took over" in judge(lambda: [None for _ in iter(int, 1)] and "", file_bytes=0, seconds=0.5).wrong
    assert "ended with" in judge(lambda: str(1 // 0), file_bytes=0, seconds=9).wrong


def test_damaged_keras_files_are_opened_or_refused(tiny) -> None:
    counts = run_campaign("campaign_keras", tiny / "tiny.keras", 0, 30, 0)
    assert counts.total() == 30
    assert counts["refused"] > 10
    assert counts["opened"] > 5


@pytest.mark.nightly
def test_so_are_five_hundred_and_every_eighth_that_opens_is_converted(tiny) -> None:
    counts = run_campaign("campaign_keras", tiny / "tiny.keras", 1000, 1500, 8)
    assert counts.total() == 500
    assert counts["converted"] > 10


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(6))
def test_so_are_three_thousand_and_what_is_c_is_sanitized_and_every_twelfth_is_run(part) -> None:
    counts = run_campaign("campaign_tflite", 1000 + 500 * part, 1500 + 500 * part, 12, "sanitize")
    assert counts.total() >= 500
    assert counts["sanitized"] > 20
