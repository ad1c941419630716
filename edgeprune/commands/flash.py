"""`edgeprune flash`: a built project onto a board."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune.build.project_source import find_device
from edgeprune.device.profile import Profile, load_profile
from edgeprune.errors import ModelError, RecipeError
from edgeprune.firmware.flashing import METHODS, FlashPlan, Method, find_image, flash_image, plan_flash
from edgeprune.firmware.load_addresses import refuse_other_memory


@dataclass(frozen=True, kw_only=True, slots=True)
class FlashResult:
    """What `edgeprune flash` did, or would do.

    Attributes:
        profile: the device.
        plan: the command, or the copy.
        done: whether it was done; False for a dry run.
    """

    profile: Profile
    plan: FlashPlan
    done: bool

    def to_json(self) -> dict[str, Any]:
        """The document of `flash --json`."""
        return {
            "schema": 1,
            "device": self.profile.id,
            "method": self.plan.method,
            "image": str(self.plan.image),
            "command": list(self.plan.command),
            "volume": None if self.plan.volume is None else str(self.plan.volume),
            "note": "" if self.profile.flashing is None else self.profile.flashing.note,
            "done": self.done,
        }


def flash(
    folder: Path,
    *,
    device: str | None = None,
    method: Method | None = None,
    target: str | None = None,
    volume: Path | None = None,
    port: str | None = None,
    is_dry_run: bool = False,
) -> FlashResult:
    """Bring the image of a project onto a board.

    Args:
        folder: a built project, or a build's output directory.
        device: a profile's id or file; if not given, what the folder was made for.
        method: how; if not given, as the profile says.
        target: what the tool calls the device; if not given, as the profile says.
        volume: where the board's drive is mounted, for uf2 and copy.
        port: the serial port, for esptool.
        is_dry_run: only plan it.

    Raises:
        InputError: the folder holds no image, or one for another device, or it is not known how the device
            is flashed.
        ToolError: the tool is missing, or failed.
    """
    profile = load_profile(device or find_device(folder))
    known = profile.flashing
    chosen = method or (known.method if known else None)
    if chosen not in METHODS:
        raise RecipeError(
            f"it is not known how {profile.id} is flashed"
            if chosen is None
            else f"{profile.id} runs an operating system; a model is brought there by {chosen}",
            where="[flashing] of its profile",
            fix=f"give --method ({', '.join(METHODS)}), and --target where the tool asks for it",
        )
    target = target if target is not None else (known.target if known and known.method == chosen else "")
    image = find_image(folder, chosen)
    _refuse_other_board(image.parent.parent, profile)
    refuse_other_memory(image, profile)
    plan = plan_flash(image, method=chosen, target=target, volume=volume, port=port)
    if not is_dry_run:
        flash_image(plan)
    return FlashResult(profile=profile, plan=plan, done=not is_dry_run)


def _refuse_other_board(project: Path, profile: Profile) -> None:
    """Raises RecipeError where a project says that it is for another device."""
    try:
        made_for = find_device(project)
    except ModelError:  # it does not say
        return
    if made_for != profile.id:
        raise RecipeError(
            f"the project is built for {made_for}, not {profile.id}",
            where=str(project),
            fix=f"make one for it, with 'edgeprune firmware ... --device {profile.id}', or leave --board out",
        )
