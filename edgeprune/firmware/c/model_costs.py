"""What the model takes of an application that links it: the last section of a project's README, and JSON."""

import json

from edgeprune.firmware.c.build import Images
from edgeprune.firmware.c.golden_run import GoldenRun
from edgeprune.firmware.c.project import DESCRIPTION
from edgeprune.firmware.c.toolchain import choose_level
from edgeprune.firmware.rendering import fill_template


def describe_model_costs(images: Images, run: GoldenRun) -> None:
    """Writes into a project what its model takes, as linked and as its check ran.

    Args:
        images: of the project.
        run: its check, which passed.
    """
    project = images.project
    level = choose_level(project.board, optimize=project.optimize)
    costs = {
        "code_bytes": images.model_code_bytes,
        "weights_bytes": images.sizes.weights,
        "ram_bytes": images.model_ram_bytes,
        "stack_bytes": run.stack_bytes,
        "flags": " ".join((*project.board.flags, *level)),
    }
    readme, record = project.directory / "README.md", project.directory / DESCRIPTION
    section = fill_template("c/board/model_costs.md.in", {name: str(value) for name, value in costs.items()})
    readme.write_text(readme.read_text("utf-8") + section, "utf-8")
    described = {**json.loads(record.read_text("utf-8")), "model": costs}
    record.write_text(json.dumps(described, indent=2) + "\n", "utf-8")
