"""The NPU of a device, and the configuration that Vela compiles for.

The names are those of Arm's own configuration file, which comes with Vela. Whether they go together is
checked here as far as Vela refuses it or, worse, computes with the wrong memories.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edgeprune.config.tables import TableError, ruled

Accelerator = Literal[
    "ethos-u55-32",
    "ethos-u55-64",
    "ethos-u55-128",
    "ethos-u55-256",
    "ethos-u65-256",
    "ethos-u65-512",
    "ethos-u85-128",
    "ethos-u85-256",
    "ethos-u85-512",
    "ethos-u85-1024",
    "ethos-u85-2048",
]
SystemConfig = Literal[
    "Ethos_U55_Deep_Embedded",
    "Ethos_U55_High_End_Embedded",
    "Ethos_U65_Embedded",
    "Ethos_U65_Mid_End",
    "Ethos_U65_High_End",
    "Ethos_U65_Client_Server",
    "Ethos_U85_SYS_Flash_Low",
    "Ethos_U85_SYS_Flash_High",
    "Ethos_U85_SYS_DRAM_Low",
    "Ethos_U85_SYS_DRAM_Mid",
    "Ethos_U85_SYS_DRAM_High",
]
MemoryMode = Literal[
    "Sram_Only",
    "Shared_Sram",
    "Dedicated_Sram",
    "Dedicated_Sram_256KB",
    "Dedicated_Sram_384KB",
    "Dedicated_Sram_512KB",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Npu:
    """An Ethos-U NPU and how it is connected.

    Attributes:
        accelerator: its configuration; the last number is multiply-accumulates per cycle.
        system_config: ports, bandwidths and latencies of its memories, as `vela.ini` names them.
        memory_mode: what lies in which memory, likewise.
        clock_mhz: its clock; latency is Vela's cycles over this.
        constants_bytes_per_cycle: what the memory of the weights delivers, for the solver's quick look.
        source: where these facts come from.
    """

    accelerator: Accelerator
    system_config: SystemConfig
    memory_mode: MemoryMode
    clock_mhz: float = ruled(above=0)
    constants_bytes_per_cycle: float = ruled(above=0)
    source: str

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates per cycle when every unit works."""
        return int(self.accelerator.rsplit("-", 1)[1])


def find_npu_faults(npu: Npu) -> Iterator[TableError]:
    """What contradicts itself in an `[npu]` table."""
    generation = npu.accelerator.rsplit("-", 1)[0]
    if not npu.system_config.lower().replace("_", "-").startswith(f"{generation}-"):
        yield TableError(
            key="npu.system_config",
            problem=f"is '{npu.system_config}', which is not for {npu.accelerator}",
        )
    if generation == "ethos-u55" and npu.memory_mode.startswith("Dedicated"):
        yield TableError(
            key="npu.memory_mode",
            problem=f"is '{npu.memory_mode}'; an Ethos-U55 only reads through its second port, so that "
            "activations stay in SRAM: choose 'Shared_Sram' or 'Sram_Only'",
        )
    if not npu.source:
        yield TableError(key="npu.source", problem="is empty; a number without a source is no fact")
