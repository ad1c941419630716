"""What a build can be asked for: every option once, with its type, default, range, group and help.

The flags of `edgeprune build`, the keys of recipes and their JSON Schema, `edgeprune list options` and what
`edgeprune.build` checks its arguments by follow from the fields of `BuildOptions`. An option is added here,
and in the signature of `edgeprune.api.build`, where a test asks for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from edgeprune.config.tables import ruled

Acceptable = Literal["no-gain", "input-range"]
ACCEPTABLE: tuple[Acceptable, ...] = get_args(Acceptable)
"""What `--accept` takes: doubts that end a command unless somebody says that they are known."""

IoType = Literal["float32", "int16", "int8", "uint8"]
IO_TYPES: tuple[IoType, ...] = get_args(IoType)
"""Types that inputs and outputs of files may have; a scheme offers some of them."""

Group = Literal[
    "Model and data", "Budgets", "Pruning", "Zeros and clusters", "Quantization", "Output", "This run"
]
GROUPS: tuple[Group, ...] = get_args(Group)
"""In the order of `build --help`."""

Place = Literal["flag", "recipe only", "flag only"]
"""Where an option can be said, beside the API, which takes all: "flag" means a recipe can say it, too."""

MAX_SEED = 2**32 - 1
"""The largest seed that numpy's and TensorFlow's generators take."""
MAX_ROUND_TO = 64
"""As in device profiles: no kernel works in larger steps."""
_LARGEST = 1e9  # above any real budget; it keeps TOML's `inf` out
_RECIPE: Place = "recipe only"

ModelSource = Path | Any
"""A saved model, or a `keras.Model`; which is `Any` here, because this knows no Keras."""
DataSource = str | Any
"""A path or `module:function`, or arrays and datasets as `keras_bridge.data.given` takes them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerLimit:
    """What must stay of the layers that a pattern means.

    Attributes:
        min_channels: channels that each of them keeps, or all it has.
        max_ratio: largest fraction of its channels that goes, over the whole build.
    """

    min_channels: int = ruled(low=1, default=1)
    max_ratio: float = ruled(low=0, high=1, default=1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class OptionText:
    """What people read of an option.

    Attributes:
        group: its heading.
        help: what it does, in a sentence or two.
        flags: its spellings on the command line, the usual one first; () for `--name`. A word without
            dashes is the argument.
        metavar: what stands for its value.
        told: the default as a clause, where the value itself does not say it.
        place: where it can be said.
    """

    group: Group
    help: str
    flags: tuple[str, ...] = ()
    metavar: str = ""
    told: str = ""
    place: Place = "flag"


def _option(
    group: Group,
    text: str,
    *,
    flags: tuple[str, ...] = (),
    metavar: str = "",
    told: str = "",
    place: Place = "flag",
    **rules: Any,
) -> Any:
    option = OptionText(group=group, help=text, flags=flags, metavar=metavar, told=told, place=place)
    return ruled(option=option, help=text, **rules)


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOptions:
    """What a build is asked for; None where the device's profile, the model or edgeprune decides."""

    model: ModelSource | None = _option(
        "Model and data",
        "A saved Keras model; without one, the embedded example.",
        default=None,
        flags=("model",),
        metavar="[MODEL]",
    )
    data: DataSource | None = _option(
        "Model and data",
        "An .npz, .csv, folder by class, or module:function.",
        default=None,
        metavar="DATA",
    )
    labels: Path | None = _option(
        "Model and data", "Names of the classes, one per line.", default=None, metavar="FILE"
    )
    metric: str | None = _option(
        "Model and data",
        "As compiled, or of 'edgeprune list metrics'.",
        default=None,
        metavar="NAME",
    )
    metric_mode: Literal["min", "max"] | None = _option(
        "Model and data",
        "Whether less or more of it is better.",
        default=None,
        metavar="min|max",
    )
    loss: str | None = _option(
        "Model and data",
        "'edgeprune list losses'; OUTPUT=NAME,… for several.",
        default=None,
        metavar="NAME",
    )
    optimizer: str | None = _option(
        "Model and data",
        "Of recovery.",
        default=None,
        metavar="NAME",
        told="as compiled, else adam",
    )
    learning_rate: float | None = _option(
        "Model and data",
        "Its largest.",
        default=None,
        metavar="R",
        told="as compiled, else 0.001",
        above=0,
        high=1e3,
    )
    batch_size: int | None = _option(
        "Model and data",
        "Samples per step.",
        default=None,
        metavar="N",
        told="32, or the dataset's",
        low=1,
    )
    steps_per_epoch: int | None = _option(
        "Model and data",
        "Batches in an epoch of data that never end.",
        default=None,
        metavar="N",
        low=1,
    )
    train: str | None = _option(
        "Model and data",
        "Your own train(model, epochs, callbacks).",
        default=None,
        metavar="module:function",
    )
    mixed_precision: bool | None = _option(
        "Model and data",
        "Recovery computes in bfloat16; weights stay float32.",
        default=None,
        told="on GPUs of compute capability 8.0 or more",
        place=_RECIPE,
    )
    distribute: Literal["mirrored", "multiworker"] | None = _option(
        "Model and data",
        "mirrored: all devices; multiworker: of TF_CONFIG.",
        default=None,
        metavar="KIND",
    )
    custom: tuple[str, ...] = _option(
        "Model and data",
        "Your own layer, loss, … or LayerRule; repeatable.",
        default=(),
        metavar="module:object",
    )
    trust: bool = _option(
        "Model and data",
        "Let Python code inside MODEL run (Lambda layers).",
        default=False,
    )
    input_shape: tuple[str, ...] = _option(
        "Model and data",
        "Shape of an open input, without batch; repeatable.",
        default=(),
        metavar="H,W,C",
    )
    weights: Path | None = _option(
        "Model and data",
        "The .h5 file of weights of a MODEL in .json.",
        default=None,
        metavar="FILE",
    )

    device: str = _option("Budgets", "From 'edgeprune devices list', or a profile's file.", metavar="ID")
    runtime: Literal["tflm", "c"] | None = _option(
        "Budgets", "c: our C engine, run in qemu.", default=None, told="the profile's"
    )
    delegate: Literal["gpu"] | None = _option(
        "Budgets", "Of a phone: all on its GPU, in float16.", default=None
    )
    flash_kib: float | None = _option(
        "Budgets",
        "Flash budget in KiB; else the profile's.",
        default=None,
        metavar="N",
        above=0,
        high=_LARGEST,
    )
    ram_kib: float | None = _option(
        "Budgets", "RAM budget in KiB; else the profile's.", default=None, metavar="N", above=0, high=_LARGEST
    )
    latency_ms: float | None = _option(
        "Budgets",
        "Latency budget in ms; else the profile's.",
        default=None,
        metavar="N",
        above=0,
        high=_LARGEST,
    )
    strict: bool = _option("Budgets", "Budgets must hold over an estimate's whole interval.", default=False)
    minimize: Literal["flash", "ram", "latency"] | None = _option(
        "Budgets", "flash, ram or latency: the least within --max-drop.", default=None, metavar="WHAT"
    )
    max_drop: str | None = _option(
        "Budgets",
        "Largest loss of the metric, or with % of what it was.",
        default=None,
        metavar="D",
        told="0.02 of a score, 2% of an error",
    )

    # The best over ResNet-8 and DS-CNN (scripts/bench_pruning.py), and the quickest.
    criterion: str = _option("Pruning", "'edgeprune list criteria'.", default="l2", metavar="NAME")
    keep: tuple[str, ...] = _option(
        "Pruning",
        "Layers that keep all channels; repeatable.",
        default=(),
        metavar="PATTERN",
    )
    layers: Mapping[str, LayerLimit] = _option(
        "Pruning",
        "Pattern of layer names → what must stay of each of them: min_channels, max_ratio.",
        place=_RECIPE,
        default_factory=dict,
    )
    whole_layers: bool = _option(
        "Pruning",
        "Whole layers may go, too.",
        default=True,
        flags=("--whole-layers/--no-whole-layers",),
        told="yes",
    )
    low_rank: float | None = _option(
        "Pruning",
        "Kernels become products of smaller ones, until this share of what they cost is left; 1 for never.",
        default=None,
        told="where trials find it better",
        place=_RECIPE,
        above=0,
        high=1,
    )
    epochs: int | Literal["auto"] = _option(
        "Pruning",
        "auto: while it gains.",
        default="auto",
        metavar="N|auto",
        low=1,
    )
    max_minutes: float | None = _option(
        "Pruning",
        "What recovery may take.",
        default=None,
        metavar="M",
        told="any time",
        above=0,
        high=_LARGEST,
    )
    only_fine_tune: bool = _option(
        "Pruning",
        "Nothing is removed: the model is fine-tuned as it is, for others to be held against.",
        default=False,
        place=_RECIPE,
    )
    normalise: str | None = _option(
        "Pruning",
        "Makes scores comparable: 'edgeprune list normalisers'.",
        default=None,
        told="the criterion's own way",
        place=_RECIPE,
    )
    scope: Literal["global", "local"] = _option(
        "Pruning", "What is ranked together.", default="global", place=_RECIPE
    )
    schedule: str = _option(
        "Pruning",
        "Sizes of the steps: 'edgeprune list schedules'.",
        default="polynomial_decay",
        place=_RECIPE,
    )
    min_channels: int | None = _option(
        "Pruning",
        "No group of channels gets narrower than this.",
        default=None,
        told="round_to",
        place=_RECIPE,
        low=1,
    )
    round_to: int | None = _option(
        "Pruning",
        "Numbers of channels become multiples of this.",
        default=None,
        told="what the device's kernels work in",
        place=_RECIPE,
        low=1,
        high=MAX_ROUND_TO,
    )

    final_sparsity: float | None = _option(
        "Zeros and clusters",
        "Final share of zeros.",
        default=None,
        flags=("--sparsity", "--final-sparsity"),
        metavar="S",
        told="as n:m has",
        low=0,
        below=1,
    )
    mask: str | None = _option(
        "Zeros and clusters",
        "unstructured, a block (4x1), or n of m that stay (2:4).",
        default=None,
        metavar="MASK",
        told="unstructured",
    )
    clusters: int | None = _option(
        "Zeros and clusters",
        "N values for the weights of each output.",
        default=None,
        metavar="N",
        low=2,
        high=128,
    )
    mask_scope: Literal["global", "local"] | None = _option(
        "Zeros and clusters",
        "That sparsity over all kernels together, or in each.",
        default=None,
        told="global",
        place=_RECIPE,
    )
    sparsity_schedule: str | None = _option(
        "Zeros and clusters",
        "How zeros come in: 'edgeprune list schedules'.",
        default=None,
        metavar="NAME",
        told="polynomial_decay",
        place=_RECIPE,
    )
    initial_sparsity: float | None = _option(
        "Zeros and clusters",
        "Fraction of zeros at the start.",
        default=None,
        metavar="S",
        told="0",
        place=_RECIPE,
        low=0,
        below=1,
    )
    begin_step: int | None = _option(
        "Zeros and clusters",
        "Optimizer step of the first zeros.",
        default=None,
        metavar="N",
        told="0",
        place=_RECIPE,
        low=0,
    )
    end_step: int | None = _option(
        "Zeros and clusters",
        "Step of the final sparsity.",
        default=None,
        metavar="N",
        told="after 35 % of all steps",
        place=_RECIPE,
        low=0,
    )
    frequency: int | None = _option(
        "Zeros and clusters",
        "Steps between two masks.",
        default=None,
        metavar="N",
        told="a hundredth of the way",
        place=_RECIPE,
        low=1,
    )
    power: float | None = _option(
        "Zeros and clusters",
        "Of the polynomial.",
        default=None,
        metavar="P",
        told="3",
        place=_RECIPE,
        above=0,
    )

    scheme: str = _option("Quantization", "'edgeprune list schemes'.", default="int8", metavar="NAME")
    io_type: IoType | None = _option(
        "Quantization",
        "Of inputs and outputs; else that of activations.",
        default=None,
        metavar="TYPE",
    )
    representative_samples: int | None = _option(
        "Quantization",
        "Training samples that activation ranges are measured on.",
        default=None,
        metavar="N",
        told="200",
        place=_RECIPE,
        low=1,
    )

    output: Path | None = _option(
        "Output", "Directory to make.", default=None, metavar="DIR", told="edgeprune-out"
    )
    metadata: bool | None = _option(
        "Output",
        "Write TFLite metadata; else for LiteRT alone.",
        default=None,
        flags=("--metadata/--no-metadata",),
    )
    normalization: str | None = _option(
        "Output",
        "For the metadata: what applications do to raw inputs, (value - MEAN) / STD.",
        default=None,
        metavar="MEAN,STD",
        place=_RECIPE,
    )
    keep_signatures: bool = _option(
        "Output",
        "Keep a signature with the names of the model's inputs and outputs.",
        default=False,
        place=_RECIPE,
    )

    seed: int = _option("This run", "Of everything random.", default=0, metavar="N", low=0, high=MAX_SEED)
    accept: tuple[Acceptable, ...] = _option(
        "This run",
        "Go on all the same. no-gain: zeros or clusters that buy nothing; input-range: data of another "
        "range.",
        default=(),
        metavar="WHAT",
    )
    resume: bool = _option(
        "This run",
        "Go on after the last stage that is in DIR.edgeprune-work.",
        default=False,
        place="flag only",
    )
    force: bool = _option("This run", "Replace an output of edgeprune's.", default=False, place="flag only")

    def accepts(self, doubt: Acceptable) -> bool:
        """Whether somebody said that this is known."""
        return doubt in self.accept


def list_options() -> Iterator[tuple[Field[Any], OptionText]]:
    """Every option with its text, by group."""
    described = [(item, item.metadata["option"]) for item in fields(BuildOptions)]
    yield from sorted(described, key=lambda pair: GROUPS.index(pair[1].group))


def recipe_keys() -> frozenset[str]:
    """The options that a recipe can say."""
    return frozenset(item.name for item, text in list_options() if text.place != "flag only")


def flags_of(item: Field[Any], text: OptionText) -> tuple[str, ...]:
    """How an option is spelt on the command line; () where only a recipe can say it."""
    if text.place == "recipe only":
        return ()
    return text.flags or ("--" + item.name.replace("_", "-"),)


def describe_default(item: Field[Any], text: OptionText) -> str:
    """The default as people read it, "" where there is nothing to say."""
    if text.told:
        return text.told
    silent = item.default is MISSING or item.default is None or isinstance(item.default, bool | tuple)
    return "" if silent else str(item.default)


def describe_options(*, besides: Sequence[str] = ()) -> Iterator[str]:
    """A line of documentation for each option but those that are described elsewhere."""
    for item, text in list_options():
        if item.name not in besides:
            default = describe_default(item, text)
            yield f"{item.name}: {text.help}" + (f" By default {default}." if default else "")
