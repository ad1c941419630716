"""The one table of TFLite ops: what TFLM and tflite-runtime have a kernel for, and of which types.

Sources: the methods of TFLM's `MicroMutableOpResolver` and the type switches of its reference kernels
(tensorflow/tflite-micro at 90b983c, August 2026), and for tflite-runtime 2.14.0 the versions and types it
accepts when asked for each op, version and type in turn. TFLM itself does not look at op versions.
"""

from dataclasses import dataclass, field

Types = tuple[str, ...]
Weights = dict[str, Types]

F, F16, B, U8, U32 = "float32", "float16", "bool", "uint8", "uint32"
I8, I16, I32, I64 = "int8", "int16", "int32", "int64"
_WEIGHTS: Weights = {F: (F,), I8: (I8,), I16: (I8,)}
_WEIGHTS_INT4: Weights = {F: (F,), I8: (I8, "int4"), I16: (I8,)}


@dataclass(frozen=True, kw_only=True, slots=True)
class OpKind:
    """What is known of one op.

    Attributes:
        name: builtin name, or "CUSTOM:<name>".
        tflm_method: the resolver's method that registers it, None where TFLM has no kernel.
        tflm_dtypes: types TFLM's kernel takes for its activation; empty where it takes any.
        activation: index of the input whose type decides.
        weights: types of weights (input 1; input 2 of an LSTM) that TFLM takes, by type of activation; empty
            for ops without weights.
        int8_header: TFLM header that declares `Register_<name>_INT8`, a smaller kernel for int8 alone in
            CMSIS-NN builds; None where there is none.
        litert_versions: first and last version tflite-runtime 2.14 accepts, None where it has no kernel.
        litert_dtypes: types its kernel takes for the activation, as tried; empty where that is not known.
    """

    name: str
    tflm_method: str | None = None
    tflm_dtypes: Types = ()
    activation: int = 0
    weights: Weights = field(default_factory=dict)
    int8_header: str | None = None
    litert_versions: tuple[int, int] | None = (1, 1)
    litert_dtypes: Types = ()

    @property
    def int8_registration(self) -> str | None:
        """Name of the int8-only registration, for example "Register_CONV_2D_INT8"."""
        return f"Register_{self.name}_INT8" if self.int8_header else None

    @property
    def weights_input(self) -> int:
        """Index of the weights among the inputs."""
        # Input 1 of an LSTM is left out when input and forget gate are coupled.
        return 2 if self.name == "UNIDIRECTIONAL_SEQUENCE_LSTM" else 1


@dataclass(frozen=True, kw_only=True, slots=True)
class FilterLayout:
    """Where an op that multiplies with weights has what; its weights are input 1.

    Attributes:
        rank: dimensions of the weights.
        channels: axis of the output channels, along which there may be a scale each.
        bias: index of the bias among the inputs.
        activation: index of what is multiplied.
    """

    rank: int
    channels: int
    bias: int = 2
    activation: int = 0


FILTER_LAYOUTS: dict[str, FilterLayout] = {
    "CONV_2D": FilterLayout(rank=4, channels=0),
    "DEPTHWISE_CONV_2D": FilterLayout(rank=4, channels=3),
    "FULLY_CONNECTED": FilterLayout(rank=2, channels=0),
    "TRANSPOSE_CONV": FilterLayout(rank=4, channels=0, bias=3, activation=2),
}
"""Convolutions and dense layers."""


def _op(
    name: str,
    *,
    tflm: str | None = None,
    dtypes: Types = (),
    activation: int = 0,
    weights: Weights | None = None,
    header: str | None = None,
    litert: tuple[int, int] | None = (1, 1),
    litert_types: Types = (),
) -> OpKind:
    return OpKind(
        name=name,
        tflm_method=tflm,
        tflm_dtypes=dtypes,
        activation=activation,
        weights=weights or {},
        int8_header=header,
        litert_versions=litert,
        litert_dtypes=litert_types,
    )


_ROWS = (
    _op("ABS", tflm="AddAbs", dtypes=(F, I8, I16), litert=(1, 5), litert_types=(F, I8, I16, I32)),
    _op("ADD", tflm="AddAdd", dtypes=(F, I8, I16, I32), header="add.h", litert=(1, 5)),
    _op("ADD_N", tflm="AddAddN", dtypes=(F, I8)),
    _op("ARG_MAX", tflm="AddArgMax", dtypes=(F, I8), litert=(1, 3)),
    _op("ARG_MIN", tflm="AddArgMin", dtypes=(F, I8), litert=(1, 3)),
    _op("ASSIGN_VARIABLE", tflm="AddAssignVariable"),
    _op("ATAN2"),
    _op("AVERAGE_POOL_2D", tflm="AddAveragePool2D", dtypes=(F, I8, I16), header="pooling.h", litert=(1, 3)),
    _op("BATCH_MATMUL", tflm="AddBatchMatMul", dtypes=(F, I8, I16), header="batch_matmul.h", litert=(1, 4)),
    _op("BATCH_TO_SPACE_ND", tflm="AddBatchToSpaceNd", dtypes=(F, I8), litert=(1, 4)),
    _op("BIDIRECTIONAL_SEQUENCE_LSTM", litert=(1, 3)),
    _op("BIDIRECTIONAL_SEQUENCE_RNN", litert=(1, 3)),
    _op("BITCAST"),
    _op("BITWISE_XOR"),
    _op("BROADCAST_ARGS", tflm="AddBroadcastArgs", dtypes=(I32, I64)),
    _op("BROADCAST_TO", tflm="AddBroadcastTo", litert=(2, 3)),
    _op("BUCKETIZE"),
    _op("CALL_ONCE", tflm="AddCallOnce"),
    _op("CAST", tflm="AddCast", dtypes=(F, I8, I16, I32, U32, B), litert=(1, 5)),
    _op("CEIL", tflm="AddCeil", dtypes=(F,), litert_types=(F,)),
    _op("COMPLEX_ABS"),
    _op("CONCATENATION", tflm="AddConcatenation", dtypes=(F, I8, I16, I32, I64, B), litert=(1, 4)),
    _op(
        "CONV_2D",
        tflm="AddConv2D",
        dtypes=(F, I8, I16),
        weights=_WEIGHTS_INT4,
        header="conv.h",
        litert=(1, 7),
    ),
    _op("CONV_3D"),
    _op("CONV_3D_TRANSPOSE"),
    _op("COS", tflm="AddCos", dtypes=(F,), litert_types=(F,)),
    _op("CUMSUM", tflm="AddCumSum", dtypes=(F, I8)),
    _op("DENSIFY"),
    _op(
        "DEPTHWISE_CONV_2D",
        tflm="AddDepthwiseConv2D",
        dtypes=(F, I8, I16),
        weights=_WEIGHTS_INT4,
        header="depthwise_conv.h",
        litert=(1, 7),
    ),
    _op("DEPTH_TO_SPACE", tflm="AddDepthToSpace", dtypes=(F, I8), litert=(1, 2)),
    _op("DEQUANTIZE", tflm="AddDequantize", dtypes=(I8, I16, U8), litert=(1, 5)),
    _op("DIV", tflm="AddDiv", dtypes=(F, I8, I32), litert=(1, 2), litert_types=(F, I32, U8)),
    _op("DYNAMIC_UPDATE_SLICE", tflm="AddDynamicUpdateSlice", dtypes=(F, I8, I16, I32)),
    _op("ELU", tflm="AddElu", dtypes=(F, I8), litert_types=(F, I8)),
    _op("EMBEDDING_LOOKUP", tflm="AddEmbeddingLookup", dtypes=(F, I8), activation=1, litert=(1, 3)),
    _op("EMBEDDING_LOOKUP_SPARSE"),
    _op("EQUAL", tflm="AddEqual", dtypes=(F, I8, I32, I64, B), litert=(1, 4)),
    _op("EXP", tflm="AddExp", dtypes=(F,), litert=(1, 2), litert_types=(F, I8, I16)),
    _op("EXPAND_DIMS", tflm="AddExpandDims", dtypes=(F, I8, I16)),
    _op("FAKE_QUANT", litert=(1, 2)),
    _op("FILL", tflm="AddFill", dtypes=(F, I8, I32), activation=1, litert=(1, 4)),
    _op("FLOOR", tflm="AddFloor", dtypes=(F,), litert_types=(F,)),
    _op("FLOOR_DIV", tflm="AddFloorDiv", dtypes=(F,), litert=(1, 3)),
    _op("FLOOR_MOD", tflm="AddFloorMod", dtypes=(F,), litert=(1, 2)),
    _op(
        "FULLY_CONNECTED",
        tflm="AddFullyConnected",
        dtypes=(F, I8, I16),
        weights=_WEIGHTS_INT4,
        header="fully_connected.h",
        litert=(1, 10),
    ),
    _op("GATHER", tflm="AddGather", dtypes=(F, I8), litert=(1, 6)),
    _op("GATHER_ND", tflm="AddGatherNd", dtypes=(F, I8), litert=(1, 4)),
    _op("GELU", litert=(1, 2), litert_types=(F, I8, U8)),
    _op("GREATER", tflm="AddGreater", dtypes=(F, I8, I16, I32, I64), litert=(1, 2)),
    _op("GREATER_EQUAL", tflm="AddGreaterEqual", dtypes=(F, I8, I32, I64), litert=(1, 3)),
    _op("HARD_SWISH", tflm="AddHardSwish", dtypes=(F, I8), litert_types=(F, I8, U8)),
    _op("HASHTABLE"),
    _op("HASHTABLE_FIND"),
    _op("HASHTABLE_IMPORT"),
    _op("HASHTABLE_LOOKUP"),
    _op("HASHTABLE_SIZE"),
    _op("IF", tflm="AddIf"),
    _op("IMAG"),
    _op(
        "L2_NORMALIZATION", tflm="AddL2Normalization", dtypes=(F, I8), litert=(1, 2), litert_types=(F, I8, U8)
    ),
    _op("L2_POOL_2D", tflm="AddL2Pool2D", dtypes=(F,)),
    _op("LEAKY_RELU", tflm="AddLeakyRelu", dtypes=(F, I8, I16), litert=(1, 2), litert_types=(F, I8, I16, U8)),
    _op("LESS", tflm="AddLess", dtypes=(F, I8, I32, I64), litert=(1, 3)),
    _op("LESS_EQUAL", tflm="AddLessEqual", dtypes=(F, I8, I32, I64), litert=(1, 2)),
    _op("LOCAL_RESPONSE_NORMALIZATION"),
    _op("LOG", tflm="AddLog", dtypes=(F,), litert_types=(F,)),
    _op("LOGICAL_AND", tflm="AddLogicalAnd", dtypes=(B,)),
    _op("LOGICAL_NOT", tflm="AddLogicalNot", dtypes=(B,), litert_types=(B,)),
    _op("LOGICAL_OR", tflm="AddLogicalOr", dtypes=(B,)),
    _op("LOGISTIC", tflm="AddLogistic", dtypes=(F, I8, I16), litert=(1, 3), litert_types=(F, I8, I16, U8)),
    _op("LOG_SOFTMAX", tflm="AddLogSoftmax", dtypes=(F, I8), litert=(1, 2), litert_types=(F, I8, U8)),
    _op("LSH_PROJECTION"),
    _op("LSTM", litert=(1, 4)),
    _op("MATRIX_DIAG"),
    _op("MATRIX_SET_DIAG"),
    _op(
        "MAXIMUM", tflm="AddMaximum", dtypes=(F, I8, I16, I32, I64), header="maximum_minimum.h", litert=(1, 4)
    ),
    _op("MAX_POOL_2D", tflm="AddMaxPool2D", dtypes=(F, I8, I16), header="pooling.h", litert=(1, 3)),
    _op("MEAN", tflm="AddMean", dtypes=(F, I8, I16), litert=(1, 3)),
    _op(
        "MINIMUM", tflm="AddMinimum", dtypes=(F, I8, I16, I32, I64), header="maximum_minimum.h", litert=(1, 4)
    ),
    _op("MIRROR_PAD", tflm="AddMirrorPad", dtypes=(F, I8), litert=(1, 3)),
    _op("MUL", tflm="AddMul", dtypes=(F, I8, I16, I32), header="mul.h", litert=(1, 7)),
    _op("MULTINOMIAL"),
    _op("NEG", tflm="AddNeg", dtypes=(F,), litert_types=(F, I32, I64)),
    _op("NON_MAX_SUPPRESSION_V4"),
    _op("NON_MAX_SUPPRESSION_V5"),
    _op("NOT_EQUAL", tflm="AddNotEqual", dtypes=(F, I8, I32, I64, B), litert=(1, 3)),
    _op("ONE_HOT"),
    _op("PACK", tflm="AddPack", dtypes=(F, I8, I16, I32, I64), litert=(1, 4)),
    _op("PAD", tflm="AddPad", dtypes=(F, I8, I16, I32), header="pad.h", litert=(1, 4)),
    _op("PADV2", tflm="AddPadV2", dtypes=(F, I8, I16, I32), litert=(1, 4)),
    _op("POW", litert_types=(F, I32)),
    _op("PRELU", tflm="AddPrelu", dtypes=(F, I8, I16)),
    _op("QUANTIZE", tflm="AddQuantize", dtypes=(F, I8, I16, I32, U8), litert=(1, 3)),
    _op("RANDOM_STANDARD_NORMAL"),
    _op("RANDOM_UNIFORM"),
    _op("RANGE", litert=(1, 2)),
    _op("RANK"),
    _op("READ_VARIABLE", tflm="AddReadVariable"),
    _op("REAL"),
    _op("REDUCE_ALL", tflm="AddReduceAll", dtypes=(B,)),
    _op("REDUCE_ANY"),
    _op("REDUCE_MAX", tflm="AddReduceMax", dtypes=(F, I8), litert=(1, 3)),
    _op("REDUCE_MIN", tflm="AddReduceMin", dtypes=(F, I8), litert=(1, 3)),
    _op("REDUCE_PROD", litert=(1, 2)),
    _op("RELU", tflm="AddRelu", dtypes=(F, I8, I16), litert=(1, 3), litert_types=(F, I8, I16, U8)),
    _op("RELU6", tflm="AddRelu6", dtypes=(F, I8, I16), litert=(1, 3), litert_types=(F, I8, I16, U8)),
    _op("RELU_0_TO_1"),
    _op("RELU_N1_TO_1"),
    _op("RESHAPE", tflm="AddReshape"),
    _op("RESIZE_BILINEAR", tflm="AddResizeBilinear", dtypes=(F, I8), litert=(1, 4)),
    _op("RESIZE_NEAREST_NEIGHBOR", tflm="AddResizeNearestNeighbor", dtypes=(F, I8, I16), litert=(1, 4)),
    _op("REVERSE_SEQUENCE"),
    _op("REVERSE_V2", tflm="AddReverseV2", dtypes=(F, I8, I16, I32, I64, U8, B), litert=(1, 3)),
    _op("RFFT2D"),
    _op("RIGHT_SHIFT"),
    _op("RNN", litert=(1, 3)),
    _op("ROUND", tflm="AddRound", dtypes=(F,), litert_types=(F,)),
    _op("RSQRT", tflm="AddRsqrt", dtypes=(F, I8), litert=(1, 2), litert_types=(F, I8)),
    _op("SCATTER_ND"),
    _op("SEGMENT_SUM"),
    _op("SELECT", litert=(1, 4)),
    _op("SELECT_V2", tflm="AddSelectV2", dtypes=(F, I8, I16), activation=1, litert=(1, 2)),
    _op("SHAPE", tflm="AddShape"),
    _op("SIGN", litert=(1, 2)),
    _op("SIN", tflm="AddSin", dtypes=(F,), litert_types=(F,)),
    _op("SKIP_GRAM"),
    _op("SLICE", tflm="AddSlice", dtypes=(F, I8, I16, I32, B), litert=(1, 6)),
    _op(
        "SOFTMAX",
        tflm="AddSoftmax",
        dtypes=(F, I8, I16),
        header="softmax.h",
        litert=(1, 3),
        litert_types=(F, I8, I16, U8),
    ),
    _op("SPACE_TO_BATCH_ND", tflm="AddSpaceToBatchNd", dtypes=(F, I8), litert=(1, 4)),
    _op("SPACE_TO_DEPTH", tflm="AddSpaceToDepth", dtypes=(F, I8), litert=(1, 2)),
    _op("SPARSE_TO_DENSE", litert=(1, 3)),
    _op("SPLIT", tflm="AddSplit", dtypes=(F, I8, I16, I32), activation=1, litert=(1, 4)),
    _op("SPLIT_V", tflm="AddSplitV", dtypes=(F, I8, I16, I32), litert=(1, 2)),
    _op("SQRT", tflm="AddSqrt", dtypes=(F,), litert_types=(F,)),
    _op("SQUARE", tflm="AddSquare", dtypes=(F,), litert_types=(F,)),
    _op(
        "SQUARED_DIFFERENCE",
        tflm="AddSquaredDifference",
        dtypes=(F, I8, I16, I32),
        litert=(1, 2),
        litert_types=(F, I8, I32),
    ),
    _op("SQUEEZE", tflm="AddSqueeze", litert=(1, 2)),
    _op("STRIDED_SLICE", tflm="AddStridedSlice", dtypes=(F, I8, I16, I32, B), litert=(1, 8)),
    _op("SUB", tflm="AddSub", dtypes=(F, I8, I16, I32), litert=(1, 5)),
    _op("SUM", tflm="AddSum", dtypes=(F, I8, I16), litert=(1, 2)),
    _op("SVDF", tflm="AddSvdf", dtypes=(F, I8), weights=_WEIGHTS, header="svdf.h", litert=(1, 4)),
    _op("TANH", tflm="AddTanh", dtypes=(F, I8, I16), litert=(1, 3), litert_types=(F, I8, I16, U8)),
    _op("TILE", litert=(1, 3)),
    _op("TOPK_V2", litert=(1, 3)),
    _op("TRANSPOSE", tflm="AddTranspose", dtypes=(F, I8, I16), header="transpose.h", litert=(1, 6)),
    _op(
        "TRANSPOSE_CONV",
        tflm="AddTransposeConv",
        dtypes=(F, I8, I16),
        activation=2,
        weights=_WEIGHTS,
        header="transpose_conv.h",
        litert=(1, 4),
    ),
    _op(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        tflm="AddUnidirectionalSequenceLSTM",
        dtypes=(F, I8, I16),
        weights=_WEIGHTS,
        header="unidirectional_sequence_lstm.h",
        litert=(1, 4),
    ),
    _op("UNIDIRECTIONAL_SEQUENCE_RNN", litert=(1, 3)),
    _op("UNIQUE"),
    _op("UNPACK", tflm="AddUnpack", dtypes=(F, I8, I16, I32), litert=(1, 4)),
    _op("UNSORTED_SEGMENT_MAX"),
    _op("UNSORTED_SEGMENT_MIN"),
    _op("UNSORTED_SEGMENT_PROD"),
    _op("UNSORTED_SEGMENT_SUM"),
    _op("VAR_HANDLE", tflm="AddVarHandle"),
    _op("WHERE", litert=(1, 2)),
    _op("WHILE", tflm="AddWhile"),
    _op("ZEROS_LIKE", tflm="AddZerosLike", dtypes=(F, I8, I32, I64)),
    _op("CUSTOM:CIRCULAR_BUFFER", tflm="AddCircularBuffer", litert=None),
    _op("CUSTOM:SignalDelay", tflm="AddDelay", litert=None),
    _op("CUSTOM:SignalEnergy", tflm="AddEnergy", litert=None),
    _op("CUSTOM:SignalFftAutoScale", tflm="AddFftAutoScale", litert=None),
    _op("CUSTOM:SignalFilterBank", tflm="AddFilterBank", litert=None),
    _op("CUSTOM:SignalFilterBankLog", tflm="AddFilterBankLog", litert=None),
    _op("CUSTOM:SignalFilterBankSpectralSubtraction", tflm="AddFilterBankSpectralSubtraction", litert=None),
    _op("CUSTOM:SignalFilterBankSquareRoot", tflm="AddFilterBankSquareRoot", litert=None),
    _op("CUSTOM:SignalFramer", tflm="AddFramer", litert=None),
    _op("CUSTOM:SignalIrfft", tflm="AddIrfft", litert=None),
    _op("CUSTOM:SignalOverlapAdd", tflm="AddOverlapAdd", litert=None),
    _op("CUSTOM:SignalPCAN", tflm="AddPCAN", litert=None),
    _op("CUSTOM:SignalRfft", tflm="AddRfft", litert=None),
    _op("CUSTOM:SignalStacker", tflm="AddStacker", litert=None),
    _op("CUSTOM:SignalWindow", tflm="AddWindow", litert=None),
    _op("CUSTOM:TFLM_DECODE", tflm="AddDecode", litert=None),
    _op("CUSTOM:TFLite_Detection_PostProcess", tflm="AddDetectionPostprocess", litert=(1, 1)),
    _op("CUSTOM:ethos-u", tflm="AddEthosU", litert=None),
)

OPS: dict[str, OpKind] = {row.name: row for row in _ROWS}
"""Every op TFLM or tflite-runtime 2.14 has a kernel for, by name."""
