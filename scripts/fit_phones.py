"""Fit the paces of phones' cores to published latencies, `edgeprune/device/tables/paces.json`.

    python scripts/fit_phones.py ../shared/data [--write] [--plot SVG] [--json FILE]

Networks whose architecture is known (`phone_networks.py`) are work of a few kinds; a core takes so many
cycles for each unit of each kind. Cores of one design in several SoCs share a pace, at the clock of each.
Threads share the work but for a part of each kind, the same on all cores. GPUs have paces of their own,
NPUs a law by ops and weights (`phone_npus.py`).

Prints, per SoC, type and cores, measured over estimated latency for networks whose family the fit has not
seen, and for families and SoCs at once where another SoC has the same core, and how many of them lie in the
interval that is written; and which rows were left out. Networks without a known architecture get a law by
multiply-accumulates and parameters, whose errors are printed; no file needs it: the ops of a file are known.
"""

import argparse
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from esp_paces import esp_paces, hold_out_models, read_layers
from fit_instructions import solve_nonnegative
from latency_rows import LATENCIES, read_csv
from numpy.typing import NDArray
from phone_cores import BOARDS, BORROWED, CORES, GPUS, SAME_FLOATS, Core
from phone_npus import hold_out_networks, npu_paces, read_npus
from scatter import draw_scatter
from scipy.optimize import lsq_linear

from edgeprune.device.kernels.work import WORK
from edgeprune.device.paces import widen

TABLE = Path(__file__).resolve().parents[1] / "edgeprune" / "device" / "tables" / "paces.json"
NETWORKS = Path(__file__).parent / "phone_networks.csv"
NUMBERS = {"float32": "float32", "float16": "float32", "int8": "int8"}
_CORES = re.compile(r"(?P<threads>\d)(?P<group>large|med|small)")
_SAME_FAMILY = {
    **dict.fromkeys(("mobilenet_wd", "mobilenetb", "mobilenetb_wd", "fdmobilenet"), "mobilenet"),
    **dict.fromkeys(("mnasnet_b", "spnasnet", "proxylessnas_cpu", "proxylessnas_gpu"), "mnasnet_a"),
    **dict.fromkeys(("resnetbc", "preresnetbc", "sepreresnet", "diracnet"), "resnet"),
    **dict.fromkeys(("deit-base-distilled-patch", "deit-tiny-distilled-patch"), "vit-base-patch"),
    "efficientnet_edge_medium_b": "efficientnet_edge_large_b",
    **dict.fromkeys(("mobilevit-x-small", "mobilevit-xx-small"), "mobilevit-small"),
    **dict.fromkeys(("swin-small-patch", "swin-tiny-patch"), "swin-base-patch"),
}
"""Families that differ in widths or details: they are held out together, more strictly than the file does.
Not so regnetx and regnety: no other network convolves in groups."""
_ATTENTION = ("vit-base-patch", "swin-base-patch", "mit-b", "cvt-", "mobilevit-small")
"""Families of transformers."""
_TRANSFORMERS_ALONE = "Snapdragon 730"
_NETWORKS = 30
"""Fewer do not tell the kinds of work apart: that SoC ran transformers alone."""
_HELD = 0.9
"""Share of latencies that an interval is to hold."""
_WIDEST = {"float32": 2.0, "int8": 2.5}
"""Wider intervals are of little use; how many lie inside is printed."""
_DRIVERS = 1.25
"""How far the same GPU may be off in another phone, with another driver: nobody timed one in two."""

Vector = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """One published latency of a network whose architecture is known.

    Attributes:
        model, family: the network.
        number: "float32" or "int8".
        soc, group, threads: where it ran.
        core: what the group's cores are, and their clock.
        work: by the kinds of `WORK`.
        ms: what was measured.
    """

    model: str
    family: str
    number: str
    soc: str
    group: str
    threads: int
    core: Core
    work: tuple[float, ...]
    ms: float

    @property
    def cycles(self) -> float:
        """The latency in cycles of its core."""
        return self.ms * self.core.clock_mhz * 1e3


@dataclass(frozen=True, kw_only=True, slots=True)
class Left:
    """Rows that no pace is fitted to, by reason; `others` have a law by MACs and parameters."""

    reasons: Counter[str]
    others: list[dict[str, str]]


def read_timed(data: Path) -> tuple[list[Timed], Left]:
    """The rows of known networks on known cores, and what was left out."""
    networks = {line["model"]: tuple(float(line[kind]) for kind in WORK) for line in read_csv(NETWORKS)}
    rows, left = [], Left(reasons=Counter(), others=[])
    for line in read_csv(data / "phone_latency.csv"):
        match = _CORES.fullmatch(line["cores"])
        place = (line["soc"], match["group"] if match else line["cores"])
        core = CORES.get(place) or GPUS.get(line["soc"] if line["cores"] == "gpu" else "")
        if not line["runtime"].startswith("TFLite 2."):
            left.reasons[f"{line['runtime'].split(',')[0]}: threads or architecture are not stated"] += 1
        elif line["model"] not in networks:
            kind = "synthetic networks" if line["family"] == "synthetic NAS" else "others"
            left.reasons[f"{kind}, whose architecture is not known here"] += 1
            if core is not None:
                left.others.append(line)
        elif core is None:
            left.reasons["threads on cores of different kinds"] += 1
        else:
            rows.append(
                Timed(
                    model=line["model"],
                    family=_SAME_FAMILY.get(line["family"], line["family"]),
                    number=NUMBERS[line["dtype"]],
                    soc=line["soc"],
                    group=place[1],
                    threads=int(match["threads"]) if match else 1,
                    core=core,
                    work=networks[line["model"]],
                    ms=float(line["ms"]),
                )
            )
    return rows, left


def name_of(row: Timed) -> str:
    """The entry that a row belongs to: cores that differ in integers alone share their floats."""
    return SAME_FLOATS.get(row.core.name, row.core.name) if row.number == "float32" else row.core.name


def fit_pace(rows: Sequence[Timed]) -> Vector:
    """Cycles per unit of each kind of work, of least relative error; SoCs count alike."""
    return solve_nonnegative(
        np.array([row.work for row in rows]), np.array([row.cycles for row in rows], dtype=float)
    )


def fit_serial(rows: Iterable[Timed], paces: Mapping[tuple[str, str], Vector], number: str) -> Vector:
    """The share of each kind of work that stays in one thread, over all cores and numbers of threads."""
    left, right = [], []
    for row in rows:
        if row.threads > 1 and row.number == number:
            alone = np.array(row.work) * paces[name_of(row), number]
            parted = alone / row.threads
            left.append((alone - parted) / row.cycles)
            right.append((row.cycles - parted.sum()) / row.cycles)
    if not left:
        return np.ones(len(WORK))
    shares: Vector = lsq_linear(np.array(left), np.array(right), bounds=(0, 1)).x
    return shares


def estimate(row: Timed, pace: Vector, serial: Vector) -> float:
    """Cycles of a row."""
    work = np.array(row.work) * pace
    if row.threads == 1:
        return float(work.sum())
    return float((work * (serial + (1 - serial) / row.threads)).sum())


def hold_out(rows: Sequence[Timed], *, socs: bool) -> dict[int, float]:
    """Measured over estimated of each row, by fits without its family, and if asked without its SoC.

    Rows whose core is in no other SoC that ran enough networks have no entry if SoCs are held out.
    """
    alone = [row for row in rows if row.threads == 1]
    ratios = {}
    for number in ("float32", "int8"):
        for family in sorted({row.family for row in rows}):
            for soc in sorted({row.soc for row in rows}) if socs else [""]:
                seen = [
                    row for row in alone if row.number == number and row.family != family and row.soc != soc
                ]
                groups = defaultdict(list)
                for row in seen:
                    groups[name_of(row)].append(row)
                for name in [*groups]:
                    if len({row.model for row in groups[name]}) < _NETWORKS:
                        del groups[name]
                wanted = {name_of(row) for row in rows if row.soc == soc or not socs} & groups.keys()
                paces = {(name, number): fit_pace(groups[name]) for name in groups}
                others = [row for row in rows if row.family != family and row.soc != soc]
                serial = fit_serial([row for row in others if name_of(row) in groups], paces, number)
                with_attention = {
                    name for name, own in groups.items() if any(row.family in _ATTENTION for row in own)
                }
                for index, row in enumerate(rows):
                    if family in _ATTENTION and name_of(row) not in with_attention:
                        continue  # nothing that was seen tells what functions of values cost
                    held = row.number == number and row.family == family and (row.soc == soc or not socs)
                    if held and name_of(row) in wanted:
                        ratios[index] = row.cycles / estimate(row, paces[name_of(row), number], serial)
    return ratios


def ends_of(ratios: Sequence[float]) -> tuple[float, float]:
    """The shortest interval that holds nine of ten, 1 included."""
    ordered = np.sort(ratios)
    held = int(np.ceil(_HELD * len(ordered)))
    lows, highs = ordered[: len(ordered) - held + 1], ordered[held - 1 :]
    best = int(np.argmin(highs / lows))
    return min(float(lows[best]), 1.0), max(float(highs[best]), 1.0)


def place(ratios: Sequence[float], *, width: float) -> tuple[float, float]:
    """Where an interval of so many times holds most of the ratios, and which share of them."""
    ordered = np.sort(ratios)
    held = np.searchsorted(ordered, ordered * width, side="right") - np.arange(len(ordered))
    best = int(np.argmax(held))
    return float(ordered[best]), float(held[best]) / len(ordered)


def build_table(
    rows: Sequence[Timed],
    by_family: Mapping[int, float],
    by_soc: Mapping[int, float],
    *,
    others: Mapping[str, Any],
) -> dict[str, Any]:
    """The table as it is written, with the entries of `others`."""
    alone = [row for row in rows if row.threads == 1]
    groups: dict[tuple[str, str], list[Timed]] = defaultdict(list)
    for row in alone:
        groups[name_of(row), row.number].append(row)
    paces = {key: fit_pace(own) for key, own in groups.items()}
    cores: dict[str, dict[str, Any]] = defaultdict(dict)
    for (name, number), own in sorted(groups.items()):
        is_gpu = own[0].group == "gpu"
        ratios = [
            r for i, r in by_family.items() if (rows[i].number, rows[i].group == "gpu") == (number, is_gpu)
        ]
        if is_gpu:
            low, high = ends_of(ratios)
            low, high = low / _DRIVERS, high * _DRIVERS
        else:
            unseen = [r for i, r in by_soc.items() if rows[i].number == number and rows[i].group != "gpu"]
            low, high = ends_of([*ratios, *unseen])
            if high / low > _WIDEST[number]:
                low, _ = place([*ratios, *unseen], width=_WIDEST[number])
                high = low * _WIDEST[number]
        socs = sorted({row.soc for row in own})
        cores[name][number] = {
            "cycles": {kind: float(f"{c:.4g}") for kind, c in zip(WORK, paces[name, number], strict=True)},
            "low": round(low, 3),
            "high": round(high, 3),
            "evidence": "measured",
            "source": (
                f"{len({row.model for row in own})} networks with TFLite 2.10 and 2.15 on {', '.join(socs)}, "
                "qed-usc/mobile-ml-benchmark; scripts/fit_phones.py"
            ),
        }
    for name, same in SAME_FLOATS.items():
        cores[name]["float32"] = cores[same]["float32"]
    serial = {
        number: {
            kind: round(float(share), 3)
            for kind, share in zip(
                WORK, fit_serial([r for r in rows if r.group != "gpu"], paces, number), strict=True
            )
        }
        for number in ("float32", "int8")
    }
    return {"serial": serial, "cores": {**dict(sorted(cores.items())), **BORROWED, **others}}


def print_errors(
    rows: Sequence[Timed], ratios: Mapping[int, float], table: Mapping[str, Any], *, title: str
) -> list[dict[str, Any]]:
    """Per SoC, type and cores: measured over estimated latencies, and how many lie in the interval."""
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for index in ratios:
        row = rows[index]
        groups["all", row.number, "gpu" if row.group == "gpu" else "cpu"].append(index)
        groups[row.soc, row.number, row.group].append(index)
    print(f"\n{title}\n{'':42} rows  5 %   50 %  95 %   inside")
    found = []
    for key, own in sorted(groups.items()):
        values = [ratios[i] for i in own]
        inside = 0
        for i in own:
            pace = table["cores"][rows[i].core.name][rows[i].number]
            inside += pace["low"] <= ratios[i] <= pace["high"]
        low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
        print(
            f"{' '.join(key):42} {len(own):5} {low:.2f}  {middle:.2f}  {high:.2f}  {inside / len(own):5.0%}"
        )
        found.append(
            {
                "what": title,
                "key": key,
                "rows": len(own),
                "low": low,
                "high": high,
                "inside": inside / len(own),
            }
        )
    return found


def print_bounds(rows: Sequence[Timed], by_soc: Mapping[int, float]) -> None:
    """What the widest interval could hold at best of cores in SoCs that were not seen."""
    for number, width in _WIDEST.items():
        own = [i for i in by_soc if rows[i].number == number and rows[i].group != "gpu"]
        others = [i for i in own if rows[i].soc != _TRANSFORMERS_ALONE]
        best, without = (place([by_soc[i] for i in some], width=width)[1] for some in (own, others))
        print(
            f"{number}: no interval of {width:g} times holds more than {best:.0%} of them, {without:.0%} "
            f"without the {_TRANSFORMERS_ALONE}"
        )


def print_others(lines: Sequence[Mapping[str, str]]) -> None:
    """Errors of the law by multiply-accumulates and parameters, each family held out."""
    groups: dict[tuple[str, str, str, str], list[Mapping[str, str]]] = defaultdict(list)
    for line in lines:
        kind = "synthetic" if line["family"] == "synthetic NAS" else "named"
        groups[kind, line["soc"], line["dtype"], line["cores"]].append(line)
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (kind, _, number, _), own in groups.items():
        features = np.array([[float(line["macs"]), float(line["params"]), 1.0] for line in own])
        ms = np.array([float(line["ms"]) for line in own])
        # The synthetic ones are one family; every fifth is held out.
        parts = [line["family"] if kind == "named" else str(i % 5) for i, line in enumerate(own)]
        for part in sorted(set(parts)):
            held = np.array([each == part for each in parts])
            if held.all():
                continue
            law = solve_nonnegative(features[~held], ms[~held])
            ratios[kind, number].extend(ms[held] / (features[held] @ law))
    print("\nwithout a known architecture, by MACs and parameters\n" + " " * 42 + " rows  5 %   50 %  95 %")
    for name, values in sorted(ratios.items()):
        low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
        print(f"{' '.join(name):42} {len(values):5} {low:.2f}  {middle:.2f}  {high:.2f}")


def print_boards(data: Path, table: Mapping[str, Any]) -> None:
    """How far MobileNet v1 on boards and phones that no pace was fitted to is off, published by XNNPACK."""
    network = next(line for line in read_csv(NETWORKS) if line["model"] == "mobilenet_w1")
    work = np.array([float(network[kind]) for kind in WORK])
    serial = np.array([table["serial"]["float32"][kind] for kind in WORK])
    print("\nMobileNet v1, float32, published by XNNPACK: measured over estimated, and the interval")
    for line in read_csv(data / LATENCIES):
        core = BOARDS.get(line["device_id"])
        if core is None or line["model"] != "MobileNet v1 1.0X" or line["use"] != "ok":
            continue
        entry = table["cores"][core.name]
        pace = entry.get("float32") or table["cores"][entry["like"]]["float32"]
        cycles = np.array([pace["cycles"][kind] for kind in WORK]) * entry.get("times", 1.0)
        reach, threads = entry.get("reach", 1.0), int(line["threads"])
        shares = serial + (1 - serial) / threads if threads > 1 else np.ones(len(WORK))
        ratio = float(line["latency_ms"]) * core.clock_mhz * 1e3 / float((work * cycles * shares).sum())
        low, high = widen(pace["low"], 1 / reach), widen(pace["high"], reach)
        print(
            f"{line['device_id']:12} {core.name:12} {threads} threads  {ratio:.2f}  {low:.2f} to {high:.2f}"
        )


def main() -> None:
    """Fit, print the errors and what was left out, and write the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true", help="edgeprune/device/tables/paces.json")
    parser.add_argument("--plot", type=Path, help="estimated against measured latencies, as SVG")
    parser.add_argument("--json", type=Path, help="the errors")
    arguments = parser.parse_args()
    rows, left = read_timed(arguments.data)
    by_family, by_soc = hold_out(rows, socs=False), hold_out(rows, socs=True)
    on_npus = list(read_npus(arguments.data))
    by_network = hold_out_networks(on_npus)
    npus = npu_paces(on_npus, {number: ends_of(ratios) for number, ratios in by_network.items()})
    table = build_table(rows, by_family, by_soc, others=esp_paces(arguments.data) | npus)
    found = print_errors(rows, by_family, table, title="families held out")
    found += print_errors(rows, by_soc, table, title="families and SoCs held out")
    print_bounds(rows, by_soc)
    print_others(left.others)
    print_boards(arguments.data, table)
    print("\nNPUs, networks held out" + " " * 19 + " rows  5 %   50 %  95 %")
    for number, ratios in by_network.items():
        low, middle, high = np.quantile(ratios, (0.05, 0.5, 0.95))
        print(f"{number:42} {len(ratios):5} {low:.2f}  {middle:.2f}  {high:.2f}")
    print("\nESP32 with ESP-NN, models held out")
    for model, ratio in hold_out_models(list(read_layers(arguments.data))).items():
        print(f"{model:42} {ratio:.2f}")
    print(f"\n{len(rows)} rows; left out of the paces:")
    for reason, count in left.reasons.most_common():
        print(f"{count:7} {reason}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if arguments.plot:
        points = [
            (row.ms, row.ms / ratio, row.number, f"{row.model}, {row.soc} {row.group}: {1 / ratio - 1:+.0%}")
            for row, ratio in ((rows[index], ratio) for index, ratio in by_family.items())
        ]
        drawn = draw_scatter(
            points,
            colours={"float32": "#1f77b4", "int8": "#d95f02"},
            powers=(0.0, 5.0),
            axes=("measured ms", "estimated ms, family held out"),
        )
        arguments.plot.write_text(drawn, encoding="utf-8")
    if arguments.write:
        TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
