"""The child's side of `litert_choice`: can this LiteRT be loaded, and make an interpreter?

`python -m edgeprune.runtimes.litert_probe PACKAGE` ends with 0 if so, else with 1 and the reason on stderr.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import flatbuffers

from edgeprune.tflite.schema import load_schema


def main() -> None:
    """Load the package that the command line names."""
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        file = Path(folder) / "empty.tflite"
        file.write_bytes(make_empty_model())
        try:
            import_module(f"{sys.argv[1]}.interpreter").Interpreter(str(file)).allocate_tensors()
        except (ImportError, SystemError, OSError, AttributeError) as error:
            # pybind11 wraps what numpy says into an error of its own.
            reason = " ".join(str(error.__cause__ or error).split())
            sys.exit(f"{reason}, beside numpy {version('numpy')}" if "numpy" in reason else reason)


def make_empty_model() -> bytes:
    """A TFLite file without a single tensor or op, which every LiteRT takes."""
    schema = load_schema()
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [], [], [], []
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


if __name__ == "__main__":
    main()
