"""Files made from public bug reports, `../shared/cases` beside the checkout; its README says what holds."""

from pathlib import Path

import pytest

SHARED_CASES = Path(__file__).parents[1] / ".." / "shared" / "cases"


def case_file(name: str) -> Path:
    """The path of `tflite/NAME.tflite`; the test is skipped where the cases are not here."""
    path = SHARED_CASES / "tflite" / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"../shared/cases, with {path.name}, is not beside this checkout")
    return path
