"""`edgeprune prune`: plan and surgery alone, by ratio or of dead channels; data are rarely needed."""

from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.dead import format_sizes, format_stripped
from edgeprune.cli.inspection import format_frozen
from edgeprune.cli.progress import show_progress
from edgeprune.cli.tables import wrap
from edgeprune.config.load_options import parse_load_options


@click.command(cls=Command)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--ratio",
    type=options.Finite(min=0, max=1, max_open=True),
    metavar="R",
    help="Fraction of the prunable channels to remove, at least 0 and below 1.",
)
@click.option(
    "--dead-only",
    is_flag=True,
    help="Remove only channels that are constant or unread: outputs stay the same. Exit 1 if there are none.",
)
@click.option(
    "--seen-on-data",
    is_flag=True,
    help="With --dead-only: what was constant on all samples of --data goes, too.",
)
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The .keras file to write.")
@click.option("--criterion", default="l2", show_default=True, help="A name from 'edgeprune list criteria'.")
@options.normalise
@click.option(
    "--data",
    metavar="PATH|module:function",
    help="As for 'build'; for criteria that need data. With --dead-only, inputs count as within its range.",
)
@options.loss
@options.metric
@click.option(
    "--scope", default="global", show_default=True, type=options.SCOPES, help="What is ranked together."
)
@options.keep
@click.option(
    "--min-channels",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="No group of channels gets narrower than N.",
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
@options.loading
@options.force
def prune(
    model: Path,
    *,
    ratio: float | None,
    dead_only: bool,
    seen_on_data: bool,
    output: Path,
    scope: str,
    keep: tuple[str, ...],
    min_channels: int,
    round_to: int,
    force: bool,
    custom: tuple[str, ...],
    trust: bool | None,
    input_shape: tuple[str, ...],
    weights: Path | None,
    **ranking: Any,
) -> Answer:
    """Remove a fraction of all channels; exit 0 only if the result is proven equal to the masked model.

    With --dead-only remove what is constant or unread, proven equal to the original model.
    """
    from edgeprune.commands import prune as explore
    from edgeprune.methods.ranking import Ranking
    from edgeprune.prune.limits import Limits

    _refuse_mixtures(ratio=ratio, dead_only=dead_only, data=ranking["data"], seen_on_data=seen_on_data)
    load = parse_load_options(custom=custom, trust=trust, input_shape=input_shape, weights=weights)
    limits = Limits(round_to=round_to, min_channels=min_channels, keep=keep, scope=scope)
    if ratio is None:
        with show_progress() as progress:
            stripped = explore.remove_dead_channels(
                model,
                output=output,
                data=ranking["data"],
                trust_seen=seen_on_data,
                limits=limits,
                seed=ranking["seed"],
                load=load,
                force=force,
                progress=progress,
            )
        return format_stripped(stripped.to_json(), output=str(output))
    with show_progress() as progress:
        result = explore.prune(
            model,
            ratio=ratio,
            output=output,
            ranking=Ranking(**ranking),
            limits=limits,
            load=load,
            force=force,
            progress=progress,
        )
    document = result.to_json()
    parts = [format_sizes(document)]
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


def _refuse_mixtures(*, ratio: float | None, dead_only: bool, data: str | None, seen_on_data: bool) -> None:
    if (ratio is None) != dead_only:
        raise click.UsageError("Give either --ratio R or --dead-only.")
    if seen_on_data and (data is None or not dead_only):
        raise click.UsageError("--seen-on-data needs --dead-only and --data.")
