"""The hook of mkdocs.yml: pages of the reference and tables of figures, made when the docs are built.

Nothing of this is committed, so that it cannot differ from the program.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from documentation.api import write_api, write_exit_codes
from documentation.commands import write_commands
from documentation.figures import TABLES
from documentation.registries import write_layers, write_names, write_ops
from documentation.schemas import write_profile, write_recipe, write_report
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

PAGES: Mapping[str, Callable[[], str]] = {
    "reference/commands.md": write_commands,
    "reference/recipe.md": write_recipe,
    "reference/profile.md": write_profile,
    "reference/report.md": write_report,
    "reference/api.md": write_api,
    "reference/exit_codes.md": write_exit_codes,
    "reference/names.md": write_names,
    "reference/layers.md": write_layers,
    "reference/ops.md": write_ops,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages that are written by hand, and those of the reference."""
    for name, write in PAGES.items():
        files.append(File.generated(config, name, content=write()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its tables of figures in the place of `<!-- table: NAME -->`."""
    return re.sub(r"<!-- table: (.+?) -->", lambda found: TABLES[found[1]](), markdown)
