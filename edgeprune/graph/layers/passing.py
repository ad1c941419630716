"""Layers that leave channels alone: pooling, padding, cropping, resizing, dropout, augmentation."""

from math import prod

from edgeprune.graph.layers.data_format import is_channels_first, lay_channels, read_channels, shape_in_tflite
from edgeprune.graph.layers.rules import Call, Flow, LayerRule, Resized, keep, one_op, pass_on, rule
from edgeprune.graph.opshape import OpShape


def _flow_spatial(call: Call) -> Flow:
    """Rows, columns and steps are moved about or summed; channels stay."""
    last, inner = lay_channels(call, read_channels(call))
    return Flow(outputs=(last,), inner=(inner,))


def _flow_masking(call: Call) -> Flow:
    value = call.layer.config.get("mask_value", 0.0)
    if value != 0:
        return keep(call, f"steps are skipped where all channels are {value}")
    return pass_on(call)


def _lower_pool(resized: Resized, op: str) -> tuple[OpShape, ...]:
    window = resized.config["pool_size"]
    strides = resized.config.get("strides") or window
    rank = len(resized.input_shapes[0]) - 1
    window, strides = ((v,) * rank if isinstance(v, int) else tuple(v) for v in (window, strides))
    if rank == 3:
        # TFLite has no pooling of volumes; the converter leaves TensorFlow's op.
        custom = {"AVERAGE_POOL_2D": "CUSTOM:FlexAvgPool3D", "MAX_POOL_2D": "CUSTOM:FlexMaxPool3D"}
        return one_op(resized, custom[op])
    return (
        OpShape(
            op=op,
            name=resized.name,
            inputs=(shape_in_tflite(resized.input_shapes[0], resized.config),),
            output=shape_in_tflite(resized.output_shapes[0], resized.config),
            window=(window[0], window[1]) if rank == 2 else (1, window[0]),
            stride=(strides[0], strides[1]) if rank == 2 else (1, strides[0]),
            padding=str(resized.config.get("padding", "valid")).upper(),
        ),
    )


def _lower_global(resized: Resized, op: str) -> tuple[OpShape, ...]:
    shape = resized.input_shapes[0]
    space = shape[1:] if is_channels_first(resized.config) else shape[:-1]
    return one_op(resized, op, window=(prod(space), 1))


def _lower_up_sampling(resized: Resized) -> tuple[OpShape, ...]:
    op = "BILINEAR" if resized.config.get("interpolation") == "bilinear" else "NEAREST_NEIGHBOR"
    return one_op(resized, f"RESIZE_{op}")


for _rank in (1, 2, 3):
    for _name, _op in (("Average", "AVERAGE_POOL_2D"), ("Max", "MAX_POOL_2D")):
        rule(
            LayerRule(
                kind=f"{_name}Pooling{_rank}D",
                status="transparent",
                flow=_flow_spatial,
                lower=lambda resized, op=_op: _lower_pool(resized, op),  # type: ignore[misc]
            )
        )
    for _name, _op in (
        ("GlobalAveragePooling", "MEAN"),
        ("GlobalMaxPooling", "REDUCE_MAX"),
        ("AdaptiveAveragePooling", "MEAN"),
        ("AdaptiveMaxPooling", "REDUCE_MAX"),
    ):
        rule(
            LayerRule(
                kind=f"{_name}{_rank}D",
                status="transparent",
                flow=_flow_spatial,
                lower=lambda resized, op=_op: _lower_global(resized, op),  # type: ignore[misc]
            )
        )
    for _name, _op in (("ZeroPadding", "PAD"), ("Cropping", "STRIDED_SLICE")):
        rule(
            LayerRule(
                kind=f"{_name}{_rank}D",
                status="transparent",
                flow=_flow_spatial,
                lower=lambda resized, op=_op: one_op(resized, op),  # type: ignore[misc]
            )
        )
    rule(
        LayerRule(
            kind=f"UpSampling{_rank}D", status="transparent", flow=_flow_spatial, lower=_lower_up_sampling
        )
    )
rule(LayerRule(kind="Resizing", status="transparent", flow=_flow_spatial, lower=_lower_up_sampling))
for _kind in ("CenterCrop", "RandomCrop"):
    rule(
        LayerRule(
            kind=_kind,
            status="transparent",
            flow=_flow_spatial,
            lower=lambda resized: one_op(resized, "STRIDED_SLICE"),
        )
    )
rule(LayerRule(kind="Masking", status="transparent", flow=_flow_masking, reads_values=True))
# They do something in training only, and that to each channel alike.
for _kind in (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "RandomBrightness",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "keras.src.applications.convnext.StochasticDepth",
):
    rule(LayerRule(kind=_kind, status="transparent", flow=pass_on))
