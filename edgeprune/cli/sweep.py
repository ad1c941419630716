"""`edgeprune sweep`: many builds, on this machine or on a cluster."""

from pathlib import Path
from typing import Any, Literal

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command, show_progress
from edgeprune.terminal.sweeps import format_sweep

DEFAULT_STORAGE = "edgeprune-sweep"


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """Numbers with commas between them."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """The numbers."""
        try:
            return tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value} are no numbers with commas between them.", param, ctx)


_NUMBERS = Numbers()


@click.command(cls=Command)
@click.argument("plan", required=False, metavar="[PLAN.toml|MODEL]", type=click.Path(path_type=Path))
@click.option("--data", metavar="DATA", help="As for 'build'.")
@click.option("--device", metavar="ID,…", help="Devices, or patterns such as 'nucleo-*', with commas.")
@click.option("--flash-kib", type=_NUMBERS, metavar="N,…", help="Flash budgets in KiB.")
@click.option("--ram-kib", type=_NUMBERS, metavar="N,…", help="RAM budgets in KiB.")
@click.option("--latency-ms", type=_NUMBERS, metavar="N,…", help="Latency budgets in ms.")
@click.option("--seeds", type=click.IntRange(min=1), metavar="N", help="How many seeds.  [default: 1]")
@click.option(
    "--epochs", type=options.CountOrWord("auto"), metavar="N|auto", help="Of recovery, as for 'build'."
)
@click.option(
    "--storage",
    default=DEFAULT_STORAGE,
    show_default=True,
    metavar="DIR|URL",
    help="Where trials and results go; a URL that fsspec opens, or a folder that all machines see.",
)
@click.option("--resume", is_flag=True, help="Go on with what has not ended in --storage.")
@click.option("--address", metavar="ADDRESS", help="A Ray cluster; 'auto' for the one that runs here.")
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Trials at a time.  [default: as there is room]"
)
@click.option(
    "--cpus", type=options.Finite(min=1), default=1.0, show_default=True, metavar="N", help="CPUs of a trial."
)
@click.option(
    "--gpus", type=options.Finite(min=0), default=0.0, show_default=True, metavar="N", help="GPUs of a trial."
)
@click.option(
    "--memory-gib", type=options.Finite(min=0, min_open=True), metavar="N", help="Memory of a trial."
)
@click.option(
    "--early-stopping/--no-early-stopping",
    default=True,
    help="Give up settings that are behind others of the same model, device, budget and seed.",
)
@click.option("--search", type=click.Choice(["optuna"]), help="Draw settings from the plan's [search].")
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="Settings that a search draws for each model, device and budget.",
)
def sweep(
    plan: Path | None,
    *,
    address: str | None,
    jobs: int | None,
    cpus: float,
    gpus: float,
    memory_gib: float | None,
    early_stopping: bool,
    search: Literal["optuna"] | None,
    trials: int,
    storage: str,
    resume: bool,
    **said: Any,
) -> Answer:
    """Build models for many devices and budgets: what is lost at which, and whether that is noise.

    PLAN.toml says more than flags do: several models, options of all builds, and settings to vary. Without a
    plan or MODEL the embedded example is built. The dense model, fine-tuned as long, is always among the
    trials. Exit 1 if no build holds what was asked of it, 4 if trials failed.
    """
    from edgeprune import api

    with show_progress() as progress:
        result = api.sweep(
            plan,
            **said,
            storage=storage,
            resume=resume,
            address=address,
            jobs=jobs,
            cpus=cpus,
            gpus=gpus,
            memory_gib=memory_gib,
            early_stopping=early_stopping,
            search=search,
            trials=trials,
            progress=progress,
        )
    document = result.to_json()
    return Answer(text=format_sweep(document, storage), document=document, exit_code=0 if result.ok else 1)
