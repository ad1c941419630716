"""`edgeprune bench --on adb` against an adb that answers with recorded output and notes what it was asked."""

import json
import sys
from zlib import crc32

import pytest
from small_models import dense_int8

from edgeprune.commands.bench import TEST, BenchRequest, bench
from edgeprune.errors import DataError, DeviceError

DATA = dense_int8()
NOTED = "calls.jsonl"

ADB = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
asked = sys.argv[1:]
with (here / "{noted}").open("a") as file:
    file.write(json.dumps(asked) + "\\n")
answers = json.loads((here / "answers.json").read_text())
line = " ".join(asked)
text, code = next((a for start, a in answers.items() if line.startswith(start)), ("adb: no devices found", 1))
print(text)
sys.exit(code)
"""

INSTALLED = f"instrumentation:{TEST} (target=edgeprune.model.test)"
OTHERS = "instrumentation:com.example.test/androidx.test.runner.AndroidJUnitRunner (target=com.example)"
BENCHMARK = """STARTING!
Log parameter values verbosely: [0]
Min num runs: [7]
Num threads: [2]
Graph: [/data/local/tmp/edgeprune_bench.tflite]
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
Warmup:
count=523 first=1290 curr=930 min=921 max=2002 avg=955.7 std=61
count=1056 first=942 curr=936 min=917 max=1325 avg=944.5 std=25
Inference timings in us: Init: 5612, First inference: 1290, Warmup (avg): 955.7, Inference (avg): 944.5
Inference (avg): 944.5"""


def say(*lines, ending="INSTRUMENTATION_CODE: -1"):
    """What `am instrument -r` prints of a test that reports these lines."""
    start = "INSTRUMENTATION_STATUS: class=edgeprune.model.GoldenTest\r\nINSTRUMENTATION_STATUS_CODE: 1\r\n"
    told = "".join(
        f"INSTRUMENTATION_STATUS: edgeprune={line}\r\nINSTRUMENTATION_STATUS_CODE: 0\r\n" for line in lines
    )
    return f"{start}{told}{ending}"


def lines_of_the_test(*, data=DATA, result="PASS"):
    return (
        "runtime LiteRT 2.3.0 on CPU",
        f"model_crc32 {crc32(data)} of {len(data)} bytes",
        "golden_samples 4, off by 0.004 of their range, 0.05 is allowed",
        "ticks 944500 for one inference, at 1000000000 per second",
        "ticks_quartiles 930100 to 1002200 in 7 runs",
        result,
    )


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """A function that lets adb answer: what the command begins with → (output, exit code)."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "adb"
    program.write_text(ADB.format(python=sys.executable, noted=NOTED))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    def answer(answers):
        (folder / "answers.json").write_text(json.dumps(answers))
        return folder / NOTED

    return answer


def measure(tmp_path):
    (tmp_path / "m.tflite").write_bytes(DATA)
    request = BenchRequest(file=tmp_path / "m.tflite", device="pixel-8", place="adb", runs=7, threads=2)
    return bench(request).record


def test_the_test_of_a_library_gives_time_quartiles_and_agreement(phone, tmp_path):
    noted = phone(
        {"shell pm list": (INSTALLED, 0), "shell am instrument -w -r": (say(*lines_of_the_test()), 0)},
    )
    record = measure(tmp_path)
    assert (record.latency_ms, record.low_ms, record.high_ms) == pytest.approx((0.9445, 0.9301, 1.0022))
    assert (record.runs, record.threads, record.golden) == (7, 2, True)
    assert record.runtime == "LiteRT 2.3.0 on CPU"
    asked = [json.loads(line) for line in noted.read_text().splitlines()][-1]
    assert asked[-1] == TEST
    assert " ".join(asked).count("-e runs 7 -e threads 2") == 1


def test_without_the_test_benchmark_model_measures(phone, tmp_path):
    phone(
        {
            "shell pm list": (OTHERS, 0),
            "push": ("1 file pushed", 0),
            "shell /data/local/tmp/benchmark_model": (BENCHMARK, 0),
        }
    )
    record = measure(tmp_path)
    assert (record.latency_ms, record.low_ms, record.high_ms) == (0.9445, 0.917, 1.325)
    assert (record.runs, record.golden, record.runtime) == (1056, None, "LiteRT benchmark_model")


def test_a_linux_board_without_a_package_manager_is_measured(phone, tmp_path):
    phone(
        {
            "shell pm list": ("sh: pm: not found", 127),
            "push": ("1 file pushed", 0),
            "shell /data/local/tmp/benchmark_model": (BENCHMARK, 0),
        }
    )
    assert measure(tmp_path).latency_ms == 0.9445


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        ({}, DeviceError, "no devices found"),
        (
            {
                "shell pm list": (OTHERS, 0),
                "push": ("", 0),
                "shell /data": ("sh: benchmark_model: not found", 127),
            },
            DeviceError,
            "benchmark_model to /data/local/tmp",
        ),
        (
            {"shell pm list": (INSTALLED, 0), "shell am": (say(*lines_of_the_test(data=b"another")), 0)},
            DataError,
            "another model",
        ),
        (
            {"shell pm list": (INSTALLED, 0), "shell am": (say(*lines_of_the_test(result="FAIL")), 0)},
            DeviceError,
            "off by 0.004",
        ),
        (
            {
                "shell pm list": (INSTALLED, 0),
                "shell am": (
                    say(*lines_of_the_test()[:4], ending="INSTRUMENTATION_RESULT: shortMsg=Process crashed."),
                    0,
                ),
            },
            DeviceError,
            "Process crashed",
        ),
    ],
    ids=["no phone", "no benchmark_model", "another model", "outputs differ", "crash"],
)
def test_what_goes_wrong_is_told(phone, tmp_path, answers, error, words):
    phone(answers)
    with pytest.raises(error) as raised:
        measure(tmp_path)
    assert words in " ".join(str(raised.value).split())
