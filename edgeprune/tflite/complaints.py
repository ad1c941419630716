"""What runtimes say when they do not take a file, in sentences: which op, why, and what to do."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgeprune.errors import EdgepruneError, ModelError, OpError
from edgeprune.tflite.model import Model
from edgeprune.tflite.schema import enum_names

_PLACES = re.compile(r"\S*tensorflow/\S+?\.(?:cc|h|cpp)(?::\d+)?:?")
_NODE = re.compile(
    r"Node (?:number )?(\w+) \((?:number )?(\w+)\) failed to (?:prepare|invoke)(?: with status \d+)?"
)
_CHATTER = re.compile(
    r"^\s*(?:INFO|WARNING|VERBOSE):.*$"
    r"|\.?Failed to apply the default TensorFlow Lite delegate indexed at \d+\.?",
    re.MULTILINE,
)
_LONGEST_CHARACTERS = 200

_FIXED_SIZES = "let the model have fixed sizes: constants in place of what it computes"
_REPLACE = "replace the layer that becomes this op"


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    """What a runtime has against a file.

    Attributes:
        op, index: the op it names and its place among the main graph's; "" and None where it names none.
        reason: why, as a clause.
        fix: what to do, as an imperative clause.
        is_limit: whether it is the runtime that cannot do something, which says nothing against the file.
        is_fault: whether it is known to be the file's fault.
    """

    op: str = ""
    index: int | None = None
    reason: str
    fix: str = _REPLACE
    is_limit: bool = False
    is_fault: bool = False

    @property
    def place(self) -> str:
        """The op, for sentences: "DIV (op 11)"."""
        return f"{self.op} (op {self.index})" if self.index is not None else self.op


def read_complaint(text: str) -> Complaint:
    """The complaint in what a runtime wrote."""
    op, index = "", None
    for first, second in _NODE.findall(text):
        # LiteRT writes "Node number 11 (DIV)", TFLM "Node DIV (number b)", in hexadecimal digits.
        op, index = (second, int(first)) if first.isdecimal() else (first, int(second, 16))
        break
    said = _clean(text)
    for is_fault, known in ((False, _KNOWN), (True, _FAULTS)):
        for pattern, reason, fix in known:
            if (found := re.search(pattern, said)) is not None:
                return Complaint(
                    op=op or found.groupdict().get("op") or found.groupdict().get("code") or "",
                    index=index,
                    reason=reason(found),
                    fix=fix,
                    is_limit=not is_fault,
                    is_fault=is_fault,
                )
    return Complaint(op=op, index=index, reason=said[:_LONGEST_CHARACTERS] or "it does not say why")


def explain_refusal(text: str, *, who: str, model: Model | None = None) -> EdgepruneError:
    """The error of a LiteRT that does not run a file: OpError, or ModelError where it names no op.

    Args:
        text: what it said.
        who: its name.
        model: the file, for the names of its tensors.
    """
    found = read_complaint(text)
    if not (found.op or found.is_limit):
        return ModelError(f"{who} refuses the model", why=found.reason, fix="convert the model again")
    return OpError(
        f"{who} cannot run {found.place or 'the model'}",
        where=name_op(model, found.index) if model is not None else "",
        why=found.reason,
        fix=found.fix,
    )


def name_op(model: Model, index: int | None) -> str:
    """Where an op is, for messages: the file, and the tensor it makes where that has a name."""
    op = model.ops[index] if index is not None and index < len(model.ops) else None
    made = model.tensors[op.outputs[0]].name if op is not None and op.outputs else ""
    return f"{model.where}: '{made}'" if made else model.where


def _clean(text: str) -> str:
    """The text in one line, without chatter, places in the runtime's sources, and repetitions."""
    lines = _NODE.sub("\n", _PLACES.sub("", _CHATTER.sub("", text))).splitlines()
    return "; ".join(dict.fromkeys(" ".join(line.split()).rstrip(".") for line in lines if line.strip()))


def name_type(said: str) -> str:
    """A type as TFLite's schema calls it, of its name or number."""
    names = enum_names("TensorType")
    return (names.get(int(said), said) if said.isdecimal() else said).lower()


def _name_types(said: str) -> str:
    return ", ".join(dict.fromkeys(name_type(word) for word in re.findall(r"\b[A-Z]+\d+\b", said)))


_KNOWN: Sequence[tuple[str, Callable[[re.Match[str]], str], str]] = (
    (
        r"Didn't find op for builtin opcode '(?P<op>\w+)' version '(\d+)'",
        lambda found: f"it has no kernel for version {found[2]} of {found['op']}",
        "run it in a newer LiteRT, or convert with an older TensorFlow",
    ),
    (
        r"Didn't find op for builtin opcode '(?P<op>\w+)'"
        r"|Failed to get registration from op code (?P<code>\w+)",
        lambda found: f"it has no kernel for {found['op'] or found['code']}",
        _REPLACE,
    ),
    (
        r"Select TensorFlow op\(s\), included in the given model",
        lambda _: "it has no TensorFlow (Flex) ops",
        "convert with TFLite's builtin ops alone",
    ),
    (
        r"unresolved custom op: (?P<op>\w+)",
        lambda found: f"it has no kernel for the custom op {found['op']}",
        "register your own kernel, or replace the layer",
    ),
    (
        r"only supports? (?P<types>.*?)(?: now| currently)?, got (?P<got>\w+)",
        lambda found: f"its kernel takes {_name_types(found['types'])}, not {name_type(found['got'])}",
        _REPLACE,
    ),
    (
        r"Input type: (?P<got>\w+) with filter type: (?P<weights>\w+) not supported",
        lambda found: (
            f"its kernel does not take {found['weights'].lower()} weights with "
            f"{found['got'].lower()} activations"
        ),
        "convert with the scheme int8 and representative data",
    ),
    (
        r"Non-constant >(?P<what>\w+)< tensor is not supported",
        lambda found: f"its {found['what']} is computed by the model, and the kernel needs a constant",
        _FIXED_SIZES,
    ),
    (
        r"[Tt]ype:? '?(?P<got>[A-Z]+\d+)'?(?: \(\d+\))?,? (?:is )?(?:not supported|unsupported)"
        r"|(?:Unsupported|unsupported) (?:data |input )?type:? '?(?P<other>[A-Z]+\d+)",
        lambda found: f"its kernel does not take {(found['got'] or found['other']).lower()}",
        _REPLACE,
    ),
    (
        r"was passed (?P<got>\w+)",
        lambda found: f"its kernel does not take {found['got'].lower()}",
        _REPLACE,
    ),
    (
        r"(?:data|input2_data|divisor)\S* != 0 was not true|[Dd]ivision by zero",
        lambda _: "it divides by 0, which int8 has for every number below half a step",
        "let the divisor stay away from 0, or leave the division out of the quantized model",
    ),
    (
        r"kMaxInputNum was not true",
        lambda _: "it joins more tensors than the kernel takes at a time, which is 10",
        "join them in several steps",
    ),
    (
        r"(?P<op>\w+) op only supports (?P<low>\d+)D-(?P<high>\d+)D input arrays",
        lambda found: f"its kernel takes {found['low']} to {found['high']} dimensions",
        "reshape to fewer dimensions before the layer that becomes this op",
    ),
    (
        r"index out of bound|indices_has_only_positive_elements was not true",
        lambda _: "it is given an index that its table has no row for",
        "look for indices below 0 or beyond the table in the data",
    ),
    (
        r"missing: (?P<bytes>\d+)",
        lambda found: f"there is not enough memory for its tensors: {found['bytes']} bytes are missing",
        "give it a larger arena",
    ),
    (
        r"(?i)failed to (?:allocate|resize)|out of memory|bad_alloc|Arena size is too small",
        lambda _: "there is not enough memory for its tensors",
        "use a machine with more memory, or make the model smaller",
    ),
    (
        r"(?P<what>[\w ]*dynamic[\w ]*) (?:is |are )?not supported",
        lambda found: f"{found['what'].strip().lower()} is not supported",
        _FIXED_SIZES,
    ),
)
"""Pattern in the cleaned text, the reason it stands for, and what to do; the first that is found holds."""

_AGAIN = "convert the model again"
_FAULTS: Sequence[tuple[str, Callable[[re.Match[str]], str], str]] = (
    (
        r"output->params\.(?P<what>scale|zero_point) != (?:-?[\d(]|std::)",
        lambda found: (
            f"its output has another {found['what'].replace('_', ' ')} than the kernel computes with"
        ),
        f"{_AGAIN}: converters give this op the one that it needs",
    ),
    (
        r"params\.(?P<what>scale|zero_point)\)? != \S*output\w*->params",
        lambda found: f"its inputs have another {found['what'].replace('_', ' ')} than its output",
        f"{_AGAIN}: this op copies numbers as they are",
    ),
    (
        r"num_input_elements != num_output_elements \((?P<there>\d+) != (?P<wanted>\d+)\)",
        lambda found: f"it makes {found['wanted']} numbers of {found['there']}",
        "let the shapes before and after have as many elements",
    ),
    (
        r"Given shapes, (?P<one>\[[\d,]*\]) and (?P<other>\[[\d,]*\]), are not broadcastable",
        lambda found: f"its inputs have the shapes {found['one']} and {found['other']}, which do not fit",
        "let both have one shape, or 1 where they differ",
    ),
    (
        r"input1?->type != input2?->type \((?P<one>\w+) != (?P<other>\w+)\)",
        lambda found: f"its inputs are {found['one'].lower()} and {found['other'].lower()}",
        f"{_AGAIN}, so that both have one type",
    ),
    (
        r"size_data\[\d\] > 0 was not true",
        lambda _: "it resizes to a size of 0",
        "give it a size above 0; if the model computes the size, give it a constant",
    ),
    (
        r"Not an even split",
        lambda _: "it splits a tensor into parts that cannot be alike",
        "give each part its size, or let the axis be a multiple of their number",
    ),
    (
        r"current < input_num_dims was not true|[Ii]nvalid axis|axis (?:>=|<) \S+ was not true",
        lambda _: "it runs along an axis that its input does not have",
        "name an axis that there is",
    ),
    (
        r"reference_ops::(?P<op>Mean|Sum|ReduceGeneric)\b",
        lambda _: "it cannot reduce its input along the axes that it names",
        "name axes that there are",
    ),
    (
        r"Invalid tensor size",
        lambda _: "it makes a tensor of a size that is none, 0 or less",
        "give the sizes that the model computes as constants",
    ),
)
"""The same of what is wrong with a file."""
