"""Chromium without a window, spoken to by its DevTools protocol over a pipe."""

import base64
import json
import os
import shutil
import subprocess
from itertools import count
from pathlib import Path
from typing import Any, Self

AXE = Path(__file__).parent / "axe/node_modules/axe-core/axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
)


class Browser:
    """A browser with one page. It ends with the block that it was opened for."""

    def __init__(self, profile: Path) -> None:
        """Starts it.

        Args:
            profile: an empty folder.
        """
        assert CHROMIUM is not None
        to_browser, from_browser = os.pipe(), os.pipe()
        # The protocol wants to be read from descriptor 3 and written to 4, which the shell sees to.
        command = f'exec "$@" --remote-debugging-pipe 3<&{to_browser[0]} 4>&{from_browser[1]}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", CHROMIUM, *_ARGUMENTS, f"--user-data-dir={profile}"],
            pass_fds=(to_browser[0], from_browser[1]),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser[0])
        os.close(from_browser[1])
        self._out, self._in = os.fdopen(to_browser[1], "wb", 0), os.fdopen(from_browser[0], "rb")
        self._numbers, self._session = count(1), ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()
        self._in.close()
        self._process.terminate()
        self._process.wait(30)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the protocol; raises RuntimeError for a refusal."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        parts = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium has ended")
            parts += byte
        return dict(json.loads(parts))

    def show(self, page: str, *, width: int = 1280, dark: bool = False, media: str = "screen") -> None:
        """A page, in a window of that width, as it looks by day or by night, on a screen or on paper."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        tree = self.send("Page.getFrameTree")["frameTree"]
        self.send("Page.setDocumentContent", frameId=tree["frame"]["id"], html=page)

    def evaluate(self, expression: str) -> Any:
        """What JavaScript gives, as JSON, once it is settled."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def photograph(self, path: Path) -> None:
        """The whole page as a PNG file."""
        picture = self.send("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(picture["data"]))
