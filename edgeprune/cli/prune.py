"""`edgeprune prune`: plan and surgery alone, by ratio or of dead channels; data are rarely needed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command, show_progress
from edgeprune.cli.inspect import format_frozen
from edgeprune.terminal.dead_channels import format_sizes, format_stripped
from edgeprune.terminal.tables import wrap


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
    help="As for 'build'. What is left is refitted to what it gave before; some criteria rank by data. With "
    "--dead-only, inputs count as within its range.",
)
@options.judging
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
    model: Path, *, ratio: float | None, dead_only: bool, seen_on_data: bool, data: str | None, **asked: Any
) -> Answer:
    """Remove a fraction of all channels; exit 0 only if the result is proven equal to the masked model.

    With --dead-only remove what is constant or unread, proven equal to the original model.
    """
    _refuse_mixtures(ratio=ratio, dead_only=dead_only, data=data, seen_on_data=seen_on_data)
    from edgeprune import api

    with show_progress() as progress:
        result = api.prune(
            model,
            data,
            ratio=ratio,
            dead_only=dead_only,
            seen_on_data=seen_on_data,
            **asked,
            progress=progress,
        )
    document = result.to_json()
    text = format_stripped(document) if dead_only else _format_pruned(document)
    return Answer(text=text, document=document, exit_code=0 if result.ok else 1)


def _format_pruned(document: Mapping[str, Any]) -> str:
    """Sizes, what stayed, and the proof."""
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
    if document["repair"]:
        parts.append(wrap(_format_repair(document["repair"])))
    if document["folded"]:
        parts.append(
            wrap(
                "What the removed channels gave on average, as BatchNorm says it, is in the next biases of "
                f"{len(document['folded'])} layers; with --data what is left is refitted."
            )
        )
    return "\n\n".join(parts)


def _format_repair(repair: Mapping[str, Any]) -> str:
    """What the data made good, in a sentence."""
    done = [f"{repair['layers']} layers refitted on {repair['samples']} samples"] if repair["layers"] else []
    done += ["BatchNorm statistics estimated anew"] if repair["settled"] else []
    scores = f"validation {repair['metric']} {repair['before']:.4f}"
    if not done:
        return f"Refitting helps nothing: {scores}."
    return f"{', '.join(done)}: {scores} before, {repair['after']:.4f} after."


def _refuse_mixtures(*, ratio: float | None, dead_only: bool, data: str | None, seen_on_data: bool) -> None:
    if (ratio is None) != dead_only:
        raise click.UsageError("Give either --ratio R or --dead-only.")
    if seen_on_data and (data is None or not dead_only):
        raise click.UsageError("--seen-on-data needs --dead-only and --data.")
