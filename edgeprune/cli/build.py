"""`edgeprune build`: the main job."""

from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.annotating import annotating
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.progress import show_progress
from edgeprune.cli.results import format_report
from edgeprune.config.load_options import parse_load_options
from edgeprune.config.recipe import MAX_ROUND_TO, Recipe, merge, read_recipe

DEFAULT_OUTPUT = "edgeprune-out"


@click.command(cls=Command)
@click.argument("model", type=click.Path(path_type=Path), required=False)
@click.option("--device", metavar="ID", help="A name from 'edgeprune devices list', or a profile's file.")
@click.option(
    "--runtime",
    type=click.Choice(["tflm", "c"]),
    help="c: edgeprune's own C engine, built and run in qemu.  [default: the profile's]",
)
@click.option(
    "--data",
    metavar="PATH|module:function",
    help="An .npz file, a folder of images by class, or a function that returns tf.data datasets.",
)
@click.option("--output", metavar="DIR", help=f"Directory to make.  [default: {DEFAULT_OUTPUT}]")
@options.flash_kib
@options.ram_kib
@options.latency_ms
@options.strict
@click.option(
    "--max-drop",
    type=options.Finite(min=0, max=1),
    metavar="D",
    help="Largest drop of the metric, a fraction.  [default: 0.02]",
)
@click.option("--metric", metavar="NAME", help="What counts as good, where the model does not say.")
@click.option("--loss", metavar="NAME", help="What recovery minimises, where the model does not say.")
@options.quantization
@options.calibration
@click.option(
    "--criterion",
    metavar="NAME",
    help="Ranks channels: 'edgeprune list criteria'.  [default: l2]",
)
@options.normalise
@options.keep
@click.option(
    "--min-channels",
    type=click.IntRange(min=1),
    metavar="N",
    help="No group of channels gets narrower than N; else the multiple of --round-to.",
)
@click.option(
    "--round-to",
    type=click.IntRange(min=1, max=MAX_ROUND_TO),
    metavar="N",
    help="Make numbers of channels multiples of N; else of what the device's kernels work in.",
)
@click.option(
    "--whole-layers/--no-whole-layers",
    default=None,
    help="Whether whole layers may go, too.  [default: they may]",
)
@options.zeros
@click.option(
    "--clusters",
    type=click.IntRange(min=2, max=128),
    metavar="N",
    help="Cluster the weights of each output to N values, instead of zeros.",
)
@click.option("--scope", type=options.SCOPES, help="What is ranked together.  [default: global]")
@click.option(
    "--schedule",
    metavar="NAME",
    help="Sizes of the steps: 'edgeprune list schedules'.  [default: polynomial_decay]",
)
@click.option(
    "--epochs", type=click.IntRange(min=1), metavar="N", help="Epochs of recovery, all steps together."
)
@click.option("--seed", type=options.SEED, metavar="N", help="Of everything random.  [default: 0]")
@annotating
@click.option(
    "--recipe",
    "recipe_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file with any of these options; flags beat it.",
)
@options.loading
@click.option("--resume", is_flag=True, help="Go on after the last finished stage of an interrupted build.")
@options.force
def build(*, recipe_file: Path | None, resume: bool, force: bool, **flags: Any) -> Answer:
    """Prune MODEL until it fits a device, and prove it.

    Without MODEL, a small network on scikit-learn's digits is trained and pruned as an example.
    """
    asked = merge(flags, read_recipe(recipe_file) if recipe_file else Recipe())
    if "device" not in asked:
        raise click.UsageError("Missing option '--device'; 'edgeprune devices list' shows what there is.")
    asked["output"] = Path(asked.get("output", DEFAULT_OUTPUT))
    asked["model"] = Path(asked["model"]) if "model" in asked else None
    asked["labels"] = Path(asked["labels"]) if "labels" in asked else None
    asked.setdefault("data", None)
    given = {name: asked.pop(name, None) for name in ("custom", "trust", "input_shape", "weights")}
    asked["load"] = parse_load_options(**given)

    from edgeprune.build.file_metadata import parse_annotating
    from edgeprune.build.request import BuildRequest
    from edgeprune.commands import build as pipeline
    from edgeprune.methods.clustering import Clustering
    from edgeprune.methods.sparsity import ASKED, parse_zeroing

    zeros = {name: asked.pop(name, None) for name in ASKED}
    keep, clusters = tuple(asked.get("keep", ())), asked.pop("clusters", None)
    if any(value is not None for value in zeros.values()):
        asked["shaping"] = parse_zeroing(zeros, keep=keep)
    if clusters is not None:
        if "shaping" in asked:
            raise click.UsageError("--clusters and --sparsity cannot be combined; choose one.")
        asked["shaping"] = Clustering(values=clusters, keep=keep)
    asked["annotating"] = parse_annotating(
        metadata=asked.pop("metadata", None),
        normalization=asked.pop("normalization", None),
        keep_signatures=asked.pop("keep_signatures", None),
    )
    request = BuildRequest(**asked, resume=resume, force=force)
    with show_progress() as progress:
        report = pipeline.build(request, progress=progress)
        progress.note(f"everything is in {request.output}; start with report.html")
    exit_code = 0 if report.verdict else 1
    return Answer(text=format_report(report), document=report.to_json(), exit_code=exit_code)
