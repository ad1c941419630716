"""The only package that imports TensorFlow and Keras; importing any of it takes seconds."""

import logging
import os

from edgeprune.keras_bridge.conversion.quiet import quiet_stderr

# Notes about CPUs, GPUs and retracing are for TensorFlow's developers; its errors arrive as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
with quiet_stderr():
    import tensorflow  # noqa: F401
logging.getLogger("tensorflow").setLevel(logging.ERROR)
logging.getLogger("absl").setLevel(logging.ERROR)
