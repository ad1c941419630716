"""edgeprune: prune a trained Keras model until it provably fits a device.

    built = edgeprune.build(model, data=(x, y, x_test, y_test), device="cortex-m7", latency_ms=10)
    built.fits, built.figures["latency_ms"], built.tflite, built.model
    built.save("out")

Importing this package imports nothing else: each function below comes from `edgeprune.api` when it is first
asked for, and brings TensorFlow along only where a Keras model is involved.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from edgeprune.version import __version__ as __version__

if TYPE_CHECKING:
    from edgeprune.api import (
        agree,
        bench,
        build,
        check,
        compress,
        convert,
        devices,
        firmware,
        front,
        inspect,
        prune,
        quantize,
        run,
        sparsify,
        strip,
        sweep,
        verify,
        view,
    )

__all__ = [
    "agree",
    "bench",
    "build",
    "check",
    "compress",
    "convert",
    "devices",
    "firmware",
    "front",
    "inspect",
    "prune",
    "quantize",
    "run",
    "sparsify",
    "strip",
    "sweep",
    "verify",
    "view",
]


class _Command:
    """The attribute of the package that is a function of the API, whatever rooms the house has.

    `build`, `firmware` and `prune` are rooms, too. Importing anything in a room makes Python set the
    package's attribute of that name to the room, after which `edgeprune.build(...)` would fail. A property
    of the package's class comes before its attributes, and takes no notice of being set; `from` imports do
    not ask the attribute.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, package: ModuleType | None, owner: type) -> Any:
        import edgeprune.api as api

        return getattr(api, self._name)

    def __set__(self, package: ModuleType, value: object) -> None:
        if not isinstance(value, ModuleType):
            raise AttributeError(f"edgeprune.{self._name} cannot be replaced")


class _Package(ModuleType):
    """This package, with the API's functions as properties."""

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


for _name in __all__:
    setattr(_Package, _name, _Command(_name))
sys.modules[__name__].__class__ = _Package
