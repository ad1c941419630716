"""`edgeprune prune`: plan and surgery alone, by ratio, without data."""

from pathlib import Path

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.inspection import format_frozen
from edgeprune.cli.progress import show_progress
from edgeprune.cli.tables import Column, format_table, wrap
from edgeprune.quantities import format_quantity, format_ratio


@click.command(cls=Command)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--ratio",
    required=True,
    type=options.Finite(min=0, max=1, max_open=True),
    metavar="R",
    help="Fraction of the prunable channels to remove, at least 0 and below 1.",
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The .keras file to write.")
@click.option("--criterion", default="l2", show_default=True, help="A name from 'edgeprune list criteria'.")
@click.option(
    "--scope", default="global", show_default=True, type=options.SCOPES, help="What is ranked together."
)
@click.option(
    "--round-to",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Make widths multiples of N.",
)
@click.option(
    "--seed", default=0, show_default=True, type=options.SEED, metavar="N", help="Of random choices."
)
@options.force
def prune(
    model: Path,
    *,
    ratio: float,
    output: Path,
    criterion: str,
    scope: str,
    round_to: int,
    seed: int,
    force: bool,
) -> Answer:
    """Remove a fraction of all channels; exit 0 only if the result is proven equal to the masked model."""
    from edgeprune import explore

    with show_progress() as progress:
        result = explore.prune(
            model,
            ratio=ratio,
            output=output,
            criterion=criterion,
            scope=scope,
            round_to=round_to,
            seed=seed,
            force=force,
            progress=progress,
        )
    document = result.to_json()
    columns = (
        Column(heading=""),
        Column(heading="before", align="right"),
        Column(heading="after", align="right"),
        Column(heading="change", align="right"),
    )
    rows = [
        [
            label,
            format_quantity(document[f"{name}_before"], ""),
            format_quantity(document[f"{name}_after"], ""),
            format_ratio(document[f"{name}_after"], document[f"{name}_before"]),
        ]
        for name, label in (("params", "parameters"), ("macs", "MACs"))
    ]
    parts = [format_table(columns, rows)]
    if document["frozen"]:
        parts.append(format_frozen(document["frozen"]))
    relation = "equals" if document["equal"] else "DIFFERS FROM"
    parts.append(
        wrap(
            f"{document['output']}: the pruned model {relation} the masked one: largest difference "
            f"{document['error']:.1e} of the output's range on {document['samples']} samples, "
            f"{document['tolerance']:.0e} allowed."
        )
    )
    return Answer(text="\n\n".join(parts), document=document, exit_code=0 if document["equal"] else 1)
