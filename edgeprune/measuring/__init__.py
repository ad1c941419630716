"""What a file costs on a device, and what else differs from runtime to runtime: one module a backend.

Importing this registers them all.
"""

from edgeprune.measuring import c_engine, ethos_u, litert, tflm

__all__ = ["c_engine", "ethos_u", "litert", "tflm"]
