"""What of Keras a model file may name: one table, for every form of file and every version of Keras.

A name that is not in it is refused, whatever Keras would make of it: it may open files, run code or fetch
something. Names that the installed Keras does not have mean nothing. What the user registers or gives with
`--custom` is allowed besides, see `named_objects.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal

from keras.src.api_export import get_name_from_symbol

Kind = Literal[
    "model",
    "layer",
    "operation",
    "activation",
    "initializer",
    "regularizer",
    "constraint",
    "loss",
    "metric",
    "optimizer",
    "schedule",
    "quantizer",
    "dtype policy",
    "seed",
]
Reference = tuple[str | None, str]
"""A module, None where the file does not say it, and the name of a class or function."""


@dataclass(frozen=True, slots=True)
class Row:
    """Names of one module of Keras.

    Attributes:
        kind: what they are.
        place: the module.
        names: of classes and functions, with spaces between; other names of the same come by themselves.
    """

    kind: Kind
    place: str
    names: str


ALLOWED = (
    Row(
        "model",
        "keras.src.models",
        """
        Functional Model Sequential
        """,
    ),
    Row(
        "layer",
        "keras.layers",
        """
        Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
        AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
        AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D
        AveragePooling2D AveragePooling3D BatchNormalization Bidirectional CategoryEncoding CenterCrop
        Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D
        Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D
        Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout EinsumDense ELU
        Embedding Equalization Flatten GaussianDropout GaussianNoise GlobalAveragePooling1D
        GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D
        GlobalMaxPooling3D GroupNormalization GroupQueryAttention GRU GRUCell HashedCrossing Hashing
        Identity InputLayer IntegerLookup LayerNormalization LeakyReLU LSTM LSTMCell Masking Maximum
        MaxNumBoundingBoxes MaxPooling1D MaxPooling2D MaxPooling3D MelSpectrogram Minimum MixUp
        MultiHeadAttention Multiply Normalization Permute Pipeline PReLU RandAugment RandomBrightness
        RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform
        RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective
        RandomPosterization RandomRotation RandomSaturation RandomSharpness RandomShear RandomTranslation
        RandomZoom ReLU RepeatVector Rescaling Reshape Resizing ReversibleEmbedding RMSNormalization RNN
        SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax Solarization SpatialDropout1D
        SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells STFTSpectrogram StringLookup
        Subtract TextVectorization TimeDistributed UnitNormalization UpSampling1D UpSampling2D UpSampling3D
        ZeroPadding1D ZeroPadding2D ZeroPadding3D
        """,
    ),
    Row(
        "layer",
        "keras.src.legacy.layers",
        """
        RandomHeight RandomWidth ThresholdedReLU
        """,
    ),
    Row(
        "layer",
        "keras.src.applications.convnext",
        """
        LayerScale StochasticDepth
        """,
    ),
    Row(
        "layer",
        "keras.src.applications.inception_resnet_v2",
        """
        CustomScaleLayer
        """,
    ),
    Row(
        "operation",
        "keras.src.ops.numpy",
        """
        Abs Absolute Add All AllClose Amax Amin Angle Any Append Arange Arccos Arccosh Arcsin Arcsinh Arctan
        Arctan2 Arctanh Argmax Argmin Argpartition Argsort Array ArraySplit Average Bartlett Bincount
        BitwiseAnd BitwiseInvert BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor Blackman
        BroadcastTo Cbrt Ceil Clip Concatenate Conj Conjugate Copy Corrcoef Correlate Cos Cosh CountNonzero
        Cross Cumprod Cumsum Deg2rad Diag Diagflat Diagonal Diff Digitize Divide DivideNoNan Dot Dsplit
        Dstack Einsum EmptyLike Equal Exp Exp2 ExpandDims Expm1 Fabs Flip Fliplr Flipud Floor FloorDivide
        Fmax Fmin Fmod Full FullLike Gcd Geomspace GetItem Greater GreaterEqual Hamming Hanning Heaviside
        Histogram Hsplit Hstack Hypot I0 Imag Inner Isclose Isfinite IsIn Isinf Isnan Isneginf Isposinf
        Isreal Kaiser Kron Lcm Ldexp LeftShift Less LessEqual Linspace Log Log10 Log1p Log2 Logaddexp
        Logaddexp2 LogicalAnd LogicalNot LogicalOr LogicalXor Logspace Matmul Max Maximum Mean Median
        Meshgrid Min Minimum Mod Moveaxis Multiply Nanargmax Nanargmin Nancumprod Nancumsum Nanmax Nanmean
        Nanmedian Nanmin Nanpercentile Nanprod Nanquantile Nanstd Nansum NanToNum Nanvar Ndim Negative
        Nextafter Nonzero NotEqual OnesLike Outer Pad Percentile Power Prod Ptp Quantile Rad2deg Ravel Real
        Reciprocal Repeat Reshape RightShift Roll Rot90 Round SearchSorted Select Sign Signbit Sin Sinc Sinh
        Size Slogdet Sort Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take TakeAlongAxis Tan
        Tanh Tensordot Tile Trace Transpose Trapezoid Tril Triu TrueDivide Trunc Unique UnravelIndex Vander
        Var Vdot View Vsplit Vstack Where ZerosLike
        """,
    ),
    Row(
        "operation",
        "keras.src.ops.nn",
        """
        AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm BinaryCrossentropy CategoricalCrossentropy
        Celu Conv ConvTranspose CTCDecode CTCLoss DepthToSpace DepthwiseConv DotProductAttention Elu Fold
        Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu LogSigmoid LogSoftmax MaxPool
        Moments MultiHot Normalize OneHot Polar PSNR Relu Relu6 RMSNorm Selu SeparableConv Sigmoid Silu
        Softmax Softplus SoftShrink Softsign SpaceToDepth SparseCategoricalCrossentropy Sparsemax SparsePlus
        SparseSigmoid Squareplus TanhShrink Threshold Unfold
        """,
    ),
    Row(
        "operation",
        "keras.src.ops.core",
        """
        AssociativeScan Cast Cond ConvertToTensor ForiLoop Map SaturateCast Scan Scatter ScatterUpdate Slice
        SliceUpdate StopGradient Switch Unstack VectorizedMap WhileLoop
        """,
    ),
    Row(
        "operation",
        "keras.src.ops.math",
        """
        CDist Erf Erfc Erfinv ExtractSequences FFT FFT2 IFFT2 InTopK IRFFT ISTFT Logdet Logsumexp RFFT Rsqrt
        SegmentMax SegmentMin SegmentProd SegmentSum STFT TopK ViewAsComplex ViewAsReal
        """,
    ),
    Row(
        "operation",
        "keras.src.ops.image",
        """
        AffineTransform CropImages ElasticTransform ExtractPatches ExtractPatches3D GaussianBlur HSVToRGB
        MapCoordinates PadImages PerspectiveTransform Resize RGBToGrayscale RGBToHSV ScaleAndTranslate
        SobelEdges SSIM
        """,
    ),
    Row(
        "operation",
        "keras.src.ops.linalg",
        """
        Cholesky CholeskyInverse Det Eig Eigh Inv Lstsq LuFactor MatrixRank Norm Pinv Qr Solve
        SolveTriangular SVD
        """,
    ),
    Row(
        "operation",
        "keras.src.ops.einops",
        """
        Rearrange
        """,
    ),
    Row(
        "operation",
        "keras.src.activations.activations",
        """
        Mish ReLU
        """,
    ),
    Row(
        "activation",
        "keras.activations",
        """
        celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear
        log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign
        sparse_plus sparse_sigmoid sparsemax squareplus tanh tanh_shrink threshold
        """,
    ),
    Row(
        "activation",
        "keras.ops",
        """
        abs absolute arctan ceil celu cos cosh elu erf exp expm1 floor gelu glu hard_shrink hard_sigmoid
        hard_silu hard_tanh identity leaky_relu log log1p log_sigmoid log_softmax negative reciprocal relu
        relu6 round rsqrt selu sigmoid sign silu sin sinh soft_shrink softmax softplus softsign sparse_plus
        sparse_sigmoid sparsemax sqrt square squareplus stop_gradient tan tanh tanh_shrink threshold
        """,
    ),
    Row(
        "initializer",
        "keras.initializers",
        """
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones
        Orthogonal RandomNormal RandomUniform STFT TruncatedNormal VarianceScaling Zeros
        """,
    ),
    Row(
        "regularizer",
        "keras.regularizers",
        """
        L1 L1L2 L2 OrthogonalRegularizer
        """,
    ),
    Row(
        "constraint",
        "keras.constraints",
        """
        MaxNorm MinMaxNorm NonNeg UnitNorm
        """,
    ),
    Row(
        "loss",
        "keras.losses",
        """
        binary_crossentropy binary_focal_crossentropy BinaryCrossentropy BinaryFocalCrossentropy
        categorical_crossentropy categorical_focal_crossentropy categorical_generalized_cross_entropy
        categorical_hinge CategoricalCrossentropy CategoricalFocalCrossentropy
        CategoricalGeneralizedCrossEntropy CategoricalHinge Circle circle cosine_similarity CosineSimilarity
        CTC ctc Dice dice Hinge hinge Huber huber kl_divergence KLDivergence log_cosh LogCosh
        mean_absolute_error mean_absolute_percentage_error mean_squared_error mean_squared_logarithmic_error
        MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError MeanSquaredLogarithmicError Poisson
        poisson sparse_categorical_crossentropy SparseCategoricalCrossentropy squared_hinge SquaredHinge
        Tversky tversky
        """,
    ),
    Row(
        "metric",
        "keras.metrics",
        """
        Accuracy AUC binary_accuracy binary_crossentropy binary_focal_crossentropy BinaryAccuracy
        BinaryCrossentropy BinaryIoU categorical_accuracy categorical_crossentropy
        categorical_focal_crossentropy categorical_hinge CategoricalAccuracy CategoricalCrossentropy
        CategoricalHinge concordance_correlation ConcordanceCorrelation CosineSimilarity F1Score
        FalseNegatives FalsePositives FBetaScore Hinge hinge huber IoU kl_divergence KLDivergence log_cosh
        LogCoshError Mean mean_absolute_error mean_absolute_percentage_error mean_squared_error
        mean_squared_logarithmic_error MeanAbsoluteError MeanAbsolutePercentageError MeanIoU
        MeanMetricWrapper MeanSquaredError MeanSquaredLogarithmicError OneHotIoU OneHotMeanIoU
        pearson_correlation PearsonCorrelation Poisson poisson Precision PrecisionAtRecall R2Score Recall
        RecallAtPrecision RootMeanSquaredError SensitivityAtSpecificity sparse_categorical_accuracy
        sparse_categorical_crossentropy sparse_top_k_categorical_accuracy SparseCategoricalAccuracy
        SparseCategoricalCrossentropy SparseTopKCategoricalAccuracy SpecificityAtSensitivity squared_hinge
        SquaredHinge Sum top_k_categorical_accuracy TopKCategoricalAccuracy TrueNegatives TruePositives
        """,
    ),
    Row(
        "optimizer",
        "keras.optimizers",
        """
        Adadelta Adafactor Adagrad Adam Adamax AdamW Ftrl Lamb Lion LossScaleOptimizer MultiOptimizer Muon
        Nadam RMSprop ScheduleFreeAdamW SGD
        """,
    ),
    Row(
        "schedule",
        "keras.optimizers.schedules",
        """
        CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay
        PolynomialDecay
        """,
    ),
    Row(
        "quantizer",
        "keras.quantizers",
        """
        AbsMaxQuantizer AWQConfig Float8QuantizationConfig GPTQConfig Int4QuantizationConfig
        Int8QuantizationConfig
        """,
    ),
    Row(
        "quantizer",
        "keras.src.quantizers.quantizers",
        """
        FakeQuantWithMinMaxVars
        """,
    ),
    Row(
        "dtype policy",
        "keras.dtype_policies",
        """
        AWQDTypePolicy DTypePolicy DTypePolicyMap FloatDTypePolicy GPTQDTypePolicy Int4DTypePolicy
        QuantizedDTypePolicy QuantizedFloat8DTypePolicy
        """,
    ),
    Row(
        "seed",
        "keras.random",
        """
        SeedGenerator
        """,
    ),
)

PLAIN = (
    *("__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__", "__tuple__"),
    "TensorShape",
)
"""Class names of plain values."""

SHORT: Mapping[Kind, frozenset[str]] = MappingProxyType(
    {"initializer": frozenset(("normal", "one", "uniform", "zero")), "regularizer": frozenset(("l1l2",))}
)
"""Further names that stand alone, without a module."""

NAMED_FUNCTIONS: frozenset[Kind] = frozenset(("activation", "loss", "metric"))
"""Kinds of which functions are filed under the module `builtins`."""


def _refer(row: Row) -> Iterator[Reference]:
    """Everything under which files know the names of a row."""
    module = import_module(row.place)
    listed = {id(vars(module)[name]) for name in row.names.split() if name in vars(module)}
    for name, value in vars(module).items():
        if id(value) in listed:
            yield row.place, name
            yield None, name
            yield value.__module__, value.__name__
            yield None, value.__name__
            if not isinstance(value, type) and row.kind in NAMED_FUNCTIONS:
                yield "builtins", name
            public = _public(value)
            if public is not None:
                yield public


def _public(value: Any) -> Reference | None:
    name = get_name_from_symbol(value)
    if name is None:
        return None
    module, _, last = name.rpartition(".")
    return module, last


def _collect() -> dict[Reference, frozenset[Kind]]:
    found: dict[Reference, set[Kind]] = {}
    for row in ALLOWED:
        for reference in _refer(row):
            found.setdefault(reference, set()).add(row.kind)
    for kind, names in SHORT.items():
        for name in names:
            found.setdefault((None, name), set()).add(kind)
    return {reference: frozenset(kinds) for reference, kinds in found.items()}


_KINDS = _collect()


def kinds_of(module: str | None, name: str) -> frozenset[Kind]:
    """What a class or function of Keras is that a file may name; nothing where it may not.

    Args:
        module: as the file has it; None where it does not say.
        name: of the class or function.
    """
    return _KINDS.get((module, name), frozenset())
