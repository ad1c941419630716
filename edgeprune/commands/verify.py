"""`edgeprune verify`: whether a build's output directory is what its manifest says, and can be built again.

Without a rebuild files are hashed, and nothing that is in them is read but the manifest.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeprune.build.machine import describe_machine, list_differences
from edgeprune.build.manifest import Manifest, Mismatch, compare_files, read_manifest
from edgeprune.build.request import BuildRequest, repeat_request
from edgeprune.build.workdir import BEST, place_of_work
from edgeprune.errors import InfeasibleError, ModelError, RecipeError
from edgeprune.progress import Progress, Silent
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.version import __version__


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """How a build came out that was made again.

    Attributes:
        differing: files that have other bytes now, or are in one of the two alone.
        failure: why the budgets were not met this time, "" where they were; of the best model that a build
            could find, they were not met the first time either.
        data_differ: whether the samples are others.
    """

    differing: tuple[str, ...] = ()
    failure: str = ""
    data_differ: bool = False

    @property
    def is_same(self) -> bool:
        """Whether every file has the same bytes."""
        return not self.differing


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class VerifyResult(Summarized):
    """What `edgeprune verify` found.

    Attributes:
        folder: the directory.
        files: how many its manifest lists.
        mismatch: where its files are not those.
        fits: whether the build met its budgets; None where its manifest does not say so.
        machine: what differs here from where it was built, each as a clause.
        rebuilt: how the build came out when it was made again; None where it was not.
    """

    folder: Path
    files: int
    mismatch: Mismatch
    fits: bool | None = None
    machine: tuple[str, ...] = ()
    rebuilt: Rebuilt | None = None

    @property
    def matches(self) -> bool:
        """Whether every listed file is there and has its bytes."""
        return not (self.mismatch.missing or self.mismatch.changed)

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against the directory."""
        return self.matches and (self.rebuilt is None or self.rebuilt.is_same)

    @property
    def sentence(self) -> str:
        """The verdict."""
        if not self.matches:
            gone, other = len(self.mismatch.missing), len(self.mismatch.changed)
            return f"{self.folder} does not match its manifest: {gone} missing, {other} changed."
        said = f"{self.folder} matches its manifest: {self.files} files"
        if self.fits is False:
            said += ", the best of a build that did not meet its budgets (report.html says which)"
        if self.rebuilt is None:
            return f"{said}."
        if self.rebuilt.is_same:
            return f"{said}, and the same request gives the same bytes here."
        if self.rebuilt.failure:
            return f"{said}, but the same request gives no model that fits here: {self.rebuilt.failure}."
        why = "the data are others" if self.rebuilt.data_differ else "; ".join(self.machine)
        return (
            f"{said}, but the same request gives other bytes here, in {len(self.rebuilt.differing)} of them"
            + (f" ({why})." if why else ".")
        )

    def to_json(self) -> dict[str, Any]:
        """The document of `verify --json`."""
        rebuilt = self.rebuilt
        return {
            "schema": 1,
            "folder": str(self.folder),
            "files": self.files,
            "matches": self.matches,
            "fits": self.fits,
            "missing": list(self.mismatch.missing),
            "changed": dict(self.mismatch.changed),
            "extra": list(self.mismatch.extra),
            "machine": list(self.machine),
            "rebuilt": rebuilt
            and {
                "same": rebuilt.is_same,
                "differing": list(rebuilt.differing),
                "failure": rebuilt.failure,
                "data_differ": rebuilt.data_differ,
            },
            "ok": self.ok,
            "sentence": self.sentence,
        }

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(self.sentence)


def verify_folder(
    folder: Path, *, rebuild: bool = False, trust: bool = False, progress: Progress | None = None
) -> VerifyResult:
    """Whether an output directory is what its manifest says.

    Args:
        folder: what `build` wrote.
        rebuild: whether the request in the manifest is built again, in a temporary directory, with the model
            and data at the paths that it names; not where the files already differ.
        trust: whether Python that the request names may run for that: layers, losses, data and loops of
            somebody's own, and code in the model file.
        progress: is told about the build, and what differs here from where the directory was made.

    Raises:
        InputError: there is no manifest, or it is damaged; or the request cannot be repeated: it is not
            recorded, it names Python and `trust` is not set, or its model is not there or another.
        ToolError: a runtime failed.
    """
    progress = progress or Silent()
    manifest = read_manifest(folder)
    found = VerifyResult(
        folder=folder,
        files=len(manifest.files),
        mismatch=compare_files(folder, manifest),
        fits=manifest.fits,
        machine=tuple(list_differences(manifest.made_on, describe_machine())),
    )
    for path in found.mismatch.extra:
        progress.warn(f"{folder / path} is not in the manifest")
    if not (rebuild and found.matches):
        return found
    request = repeat_request(manifest.document, where=str(folder / "manifest.json"))
    if not trust:
        _refuse_code(request, where=str(folder / "manifest.json"))
    _require_same_model(request, manifest)
    if manifest.document["edgeprune"] != __version__:
        progress.warn(f"{folder} was built by edgeprune {manifest.document['edgeprune']}, not {__version__}")
    for difference in found.machine:
        progress.warn(f"another machine: {difference}")
    return replace(found, rebuilt=_rebuild(request, manifest, name=folder.resolve().name, progress=progress))


def _rebuild(request: BuildRequest, manifest: Manifest, *, name: str, progress: Progress) -> Rebuilt:
    from edgeprune.commands.build import build

    with TemporaryDirectory(prefix="edgeprune-") as place:
        again, failure = Path(place, name), ""
        try:
            build(replace(request, output=again), progress=progress)
        except InfeasibleError as error:
            again, failure = place_of_work(again) / BEST, error.what
            if not again.exists():
                return Rebuilt(differing=tuple(sorted(manifest.files)), failure=failure)
        made = read_manifest(again)
    names = sorted({*manifest.files, *made.files})
    return Rebuilt(
        differing=tuple(path for path in names if manifest.files.get(path) != made.files.get(path)),
        failure=failure,
        data_differ=made.document.get("data_sha256") != manifest.document.get("data_sha256"),
    )


def _refuse_code(request: BuildRequest, *, where: str) -> None:
    named = [
        *request.custom,
        *([request.train] if request.train else []),
        *([str(request.data)] if _is_function(request.data) else []),
        *(["the code in its model"] if request.trust else []),
    ]
    if named:
        raise RecipeError(
            "the request runs Python",
            where=where,
            why=f"it names {', '.join(named)}",
            fix="look at it, and pass --trust if it is yours",
        )


def _is_function(data: Any) -> bool:
    """Whether data are `module:function`: what is no file or folder may be."""
    return data is not None and ":" in str(data) and not os.path.exists(data)


def _require_same_model(request: BuildRequest, manifest: Manifest) -> None:
    """Raises ModelError where the model is not there, or not the one that was pruned."""
    if request.model is None:
        return
    from edgeprune.keras_bridge.loading.given import hash_source

    if hash_source(request.model, request.load) != manifest.document.get("model_sha256"):
        raise ModelError(
            "is not the model that was pruned",
            where=str(request.model),
            why="its SHA-256 is another than in the manifest",
            fix="put the model that it was made from there again",
        )
