"""The one question every command asks of a file that it opens: can kernels work with it at all?"""

from edgeprune.tflite.model import Model
from edgeprune.tflite.validity.kernels import require_kernels
from edgeprune.tflite.validity.quantization import require_quantization
from edgeprune.tflite.validity.wiring import require_wiring


def require_valid(model: Model) -> None:
    """Raises ModelError for a file that no kernel can run as it is: wiring, numbers, options, shapes.

    It is what TFLM's kernels ask when they prepare their ops (and what they should), whatever the device;
    whether a runtime has the kernels is another question, for `unsupported_ops`.
    """
    for place, subgraph in enumerate(model.subgraphs):
        where = f"{model.where}: subgraph {place}" if place else model.where
        require_wiring(subgraph, where=where)
        require_quantization(subgraph, where=where)
        require_kernels(subgraph, where=where)
