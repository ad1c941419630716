"""What the pages take as given: a keyword spotter and an image classifier that people know."""

import shutil
from pathlib import Path

from documentation.blocks import ROOT

_MODELS = ROOT / ".." / "shared" / "models" / "mlperf_tiny"
_KWS = "keyword_spotting/kws_ref_model.tflite"
_RESNET8 = "image_classification/pretrainedResnet_quant.tflite"
_FILES = {
    "kws.tflite": _KWS,
    "kws_ref_model.tflite": _KWS,
    "model.tflite": _KWS,
    "resnet8.tflite": _RESNET8,
}


def provide_files(folder: Path) -> list[str]:
    """Puts them into a folder; the names of those that are not beside this checkout."""
    missing = [name for name in set(_FILES.values()) if not (_MODELS / name).is_file()]
    if not missing:
        for name, source in _FILES.items():
            shutil.copyfile(_MODELS / source, folder / name)
    return missing
