"""What runtimes say, in sentences; the texts are those of TensorFlow 2.21, tflite-runtime 2.14 and TFLM."""

import pytest

from edgeprune.tflite.complaints import read_complaint

KERNELS = "tensorflow/lite/micro/kernels"


@pytest.mark.parametrize(
    ("said", "place", "reason"),
    [
        (
            "Div only supports FLOAT32, INT32 and quantized UINT8 now, got 9.Node number 11 (DIV) failed to "
            "invoke.",
            "DIV (op 11)",
            "its kernel takes float32, int32, uint8, not int8",
        ),
        (
            "Didn't find op for builtin opcode 'SQRT' version '2'. An older version of this builtin might be "
            "supported. Are you using an old TFLite binary with a newer model?\n",
            "SQRT",
            "it has no kernel for version 2 of SQRT",
        ),
        (
            "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
            "tensorflow/lite/kernels/div.cc:242 data[i] != 0 was not true.Node number 6 (DIV) failed to "
            "invoke.",
            "DIV (op 6)",
            "it divides by 0, which int8 has for every number below half a step",
        ),
        (
            f"{KERNELS}/strided_slice_common.cc Non-constant >end< tensor is not supported\n"
            "Node STRIDED_SLICE (number a) failed to prepare with status 1\n" * 2,
            "STRIDED_SLICE (op 10)",
            "its end is computed by the model, and the kernel needs a constant",
        ),
        (
            "Input type: FLOAT32 with filter type: INT8 not supported.\n"
            "Node FULLY_CONNECTED (number 6) failed to prepare with status 1",
            "FULLY_CONNECTED (op 6)",
            "its kernel does not take int8 weights with float32 activations",
        ),
        (
            f"{KERNELS}/concatenation.cc:152 num_inputs <= kMaxInputNum was not true.\n"
            "Node CONCATENATION (number 0) failed to prepare with status 1",
            "CONCATENATION (op 0)",
            "it joins more tensors than the kernel takes at a time, which is 10",
        ),
        (
            "Transpose op only supports 1D-5D input arrays.\n"
            "Node TRANSPOSE (number 0) failed to prepare with status 1",
            "TRANSPOSE (op 0)",
            "its kernel takes 1 to 5 dimensions",
        ),
        ("Encountered unresolved custom op: Mine.\nSee instructions", "Mine", "no kernel for the custom op"),
        ("Failed to allocate memory for node_and_registrations", "", "there is not enough memory"),
    ],
)
def test_limits_of_runtimes_are_told_in_words(said: str, place: str, reason: str) -> None:
    found = read_complaint(said)
    assert found.place == place
    assert reason in found.reason
    assert found.is_limit
    assert found.fix


DELEGATE = "Failed to apply the default TensorFlow Lite delegate indexed at 0."


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "output->params.zero_point != -128 (0 != -128)",
            "its output has another zero point than the kernel",
        ),
        (
            "output->params.zero_point != std::numeric_limits<int8_t>::min() (0 != -128)",
            "its output has another zero point than the kernel",
        ),
        (
            "output->params.scale != (1. / 128.) (0 != 596305792)",
            "its output has another scale than the kernel",
        ),
        ("t->params.scale != output->params.scale (1)", "its inputs have another scale than its output"),
        (
            "static_cast<double>(input->params.scale) != static_cast<double>(output_tensor->params.scale)",
            "its inputs have another scale than its output",
        ),
        (f"num_input_elements != num_output_elements (4 != 5){DELEGATE}", "it makes 5 numbers of 4"),
        (
            f"Given shapes, [1,4] and [1,3], are not broadcastable.{DELEGATE}",
            "its inputs have the shapes [1,4] and [1,3], which do not fit",
        ),
        (f"input1->type != input2->type (FLOAT32 != INT8){DELEGATE}", "its inputs are float32 and int8"),
        ("size_data[0] > 0 was not true.", "it resizes to a size of 0"),
        ("Not an even split", "it splits a tensor into parts that cannot be alike"),
        (
            f"current >= 0 && current < input_num_dims was not true.{DELEGATE}",
            "it runs along an axis that its input does not have",
        ),
        ("Invalid tensor size.", "it makes a tensor of a size that is none, 0 or less"),
    ],
)
def test_faults_of_files_are_told_in_words(said: str, reason: str) -> None:
    found = read_complaint(f"tensorflow/lite/kernels/k.cc:12 {said}Node number 3 (ADD) failed to prepare.")
    assert found.place == "ADD (op 3)"
    assert found.reason.startswith(reason)
    assert found.is_fault
    assert found.fix
    assert not found.is_limit


def test_what_is_not_known_keeps_its_words_without_places_and_repetitions() -> None:
    found = read_complaint(f"{KERNELS}/x.cc:12 a != b (3 != 4)\nNode ADD (number 0) failed to prepare\n" * 3)
    assert (found.place, found.reason, found.is_limit) == ("ADD (op 0)", "a != b (3 != 4)", False)


def test_silence_is_said() -> None:
    assert read_complaint("").reason == "it does not say why"
