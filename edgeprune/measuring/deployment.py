"""The last steps to a device, which backends share: commands that run in the output folder of a build."""

from edgeprune.device.profile import Profile
from edgeprune.firmware.flashing import METHODS
from edgeprune.report.sections.deployment import DeployStepPart

_NEEDS_VOLUME = ("uf2", "copy")


def list_flashing(folder: str, profile: Profile) -> tuple[DeployStepPart, ...]:
    """From a built project to a board, and the board's own time.

    Args:
        folder: of the project, as seen from the build's output folder.
        profile: the board; of one that nobody said how to flash, the user's own tool is named.
    """
    known = profile.flashing
    if known is None or known.method not in METHODS:
        return ({"say": "Flash its image with your own tool.", "command": ""}, _measure(profile))
    drive = " --volume DRIVE" if known.method in _NEEDS_VOLUME else ""
    where = "; DRIVE is where the board's drive is mounted" if drive else ""
    return (
        {
            "say": f"Flash it with {known.method}{where}.",
            "command": f"edgeprune flash {folder} --device {profile.id}{drive}",
        },
        _measure(profile),
    )


def _measure(profile: Profile) -> DeployStepPart:
    return {
        "say": "Measure it: the image prints PASS or FAIL and its time on the serial port, PORT.",
        "command": f"edgeprune bench model.tflite --device {profile.id} --on board --port PORT",
    }
