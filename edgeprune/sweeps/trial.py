"""The child's side of a trial: one build, in a process of its own, and the rows it leaves.

`python -m edgeprune.sweeps.trial FOLDER`, with `request.json` in the folder. It ends when its parent does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeprune.build.request import make_request
from edgeprune.build.workdir import MARKER, place_of_work
from edgeprune.commands.build import build
from edgeprune.commands.check import check
from edgeprune.errors import EdgepruneError, InfeasibleError, ToolStoppedError
from edgeprune.files import write_file
from edgeprune.report.schema import Report
from edgeprune.sweeps.rows import TRIAL_FILE, Row, describe_build, describe_trial
from edgeprune.sweeps.storage import OUTPUT, REQUEST_FILE
from edgeprune.terminal.progress import watch


def carry_out(trial: Mapping[str, Any], folder: Path) -> list[Row]:
    """The rows of a trial, which is built in a folder, or gone on with there.

    Raises:
        ToolStoppedError: something was killed that may do its work another time.
    """
    output = folder / OUTPUT
    asked = describe_trial(trial)
    try:
        if (output / "report.json").exists():  # it was killed between its last two steps
            report = Report.from_json(json.loads((output / "report.json").read_bytes()))
        else:
            report = _build(trial, output)
    except ToolStoppedError:
        raise
    except EdgepruneError as error:
        code, said = error.exit_code, error.message
        return [Row(**asked, device=device, exit=code, said=said) for device in trial["devices"]]
    page = f"{OUTPUT}/report.html" if (output / "report.html").exists() else ""
    row = describe_build(report, {**asked, "report": page})
    if trial["kind"] == "build":
        return [row]
    return [row, *(_price(row, device, output) for device in trial["devices"][1:])]


def _build(trial: Mapping[str, Any], output: Path) -> Report:
    resume = (place_of_work(output) / MARKER).is_file()
    request = make_request({**trial["request"], "output": output, "resume": resume})
    with watch() as progress:
        try:
            return build(request, progress=progress).report
        except InfeasibleError as error:
            if error.best is None:
                raise
            # What is over its budget is a result of a sweep, too.
            report: Report = error.best.report
            error.best.save(output)
            return report


def _price(row: Row, device: str, output: Path) -> Row:
    """The row of a reference on a further device: the same file, and what it costs there."""
    found = check(output / "model.tflite", device=device)
    figures = {name: figure.to_json() for name, figure in found.figures.items()}
    kept = {key: value for key, value in row.figures.items() if key not in figures}
    return Row(
        **{
            **row.to_json(),
            "device": found.profile.id,
            "figures": {**kept, **figures},
            "fits": found.fits,
            "exit": 0 if found.fits else 1,
            "said": found.sentence,
        }
    )


def _end_with_parent() -> None:
    """End when the parent is gone: its end of stdin closes."""

    def wait() -> None:
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Carry out what `request.json` of the folder asks for."""
    _end_with_parent()
    folder, started = Path(sys.argv[1]), time.monotonic()
    trial = json.loads((folder / REQUEST_FILE).read_bytes())
    rows = carry_out(trial, folder)
    ended = {
        "seconds": round(time.monotonic() - started, 1),
        "attempts": trial["attempt"],
        "node": trial["node"],
    }
    document = {"rows": [{**row.to_json(), **ended} for row in rows]}
    write_file(folder / TRIAL_FILE, json.dumps(document, default=str).encode(), force=True)


if __name__ == "__main__":
    main()
