"""Layers that are left as they are, together with every channel around them, and why."""

from edgeprune.graph.layers.rules import Call, LayerRule, keep, rule

_RGB = "works on red, green and blue"
_TABLE = "looks up values in a table, not channels"
_FOREIGN = "runs code that edgeprune cannot read"
_BASE = "says nothing of what it computes"

REASONS = {
    "AugMix": _RGB,
    "AutoContrast": "stretches the range of each image, which depends on all its values",
    "CategoryEncoding": _TABLE,
    "ContrastLimitedAdaptiveHistogramEqualization": "equalises the values of each image",
    "CutMix": "mixes samples and labels",
    "Discretization": _TABLE,
    "Equalization": "equalises the values of each image",
    "FlaxLayer": _FOREIGN,
    "HashedCrossing": _TABLE,
    "Hashing": _TABLE,
    "InputLayer": "its channels are the model's input",
    "IntegerLookup": _TABLE,
    "JaxLayer": _FOREIGN,
    "Lambda": _FOREIGN,
    "Layer": _BASE,
    "MaxNumBoundingBoxes": "works on boxes",
    "MelSpectrogram": "reads a signal, not channels",
    "MixUp": "mixes samples and labels",
    "Pipeline": "holds other layers, which edgeprune does not look into",
    "RandAugment": _RGB,
    "RandomColorDegeneration": _RGB,
    "RandomColorJitter": _RGB,
    "RandomGrayscale": _RGB,
    "RandomHue": _RGB,
    "RandomSaturation": _RGB,
    "STFTSpectrogram": "reads a signal, not channels",
    "Solarization": "inverts the values of each image",
    "StringLookup": _TABLE,
    "TFSMLayer": _FOREIGN,
    "TextVectorization": _TABLE,
    "TorchModuleWrapper": _FOREIGN,
    "Wrapper": _BASE,
}


def unknown_weights(call: Call, *known: str) -> str:
    """Why a layer that holds other weights than its kind usually does is kept; "" if it does not."""
    unknown = sorted(set(call.layer.weights) - set(known))
    return f"{call.layer.kind} with {', '.join(unknown)}, as quantized layers have" if unknown else ""


def _record(kind: str, reason: str) -> LayerRule:
    return LayerRule(kind=kind, status="kept", flow=lambda call: keep(call, f"{kind} {reason}"), note=reason)


for _kind, _reason in REASONS.items():
    rule(_record(_kind, _reason))
