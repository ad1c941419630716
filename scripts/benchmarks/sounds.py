"""Spoken digits in noise, and their log-mel features."""

from pathlib import Path

import numpy as np

from edgeprune.graph.layergraph import Array

VALIDATION_SPEAKERS = (4,)
TEST_SPEAKERS = (5,)
COPIES = {"train": 4, "val": 2, "test": 4}
"""How often each recording is used, every time in another noise."""
SNR_DB = (5.0, 15.0)
VOICES = 4
"""How many other recordings of the same part together make a babble."""
LOUDEST = 16000
"""Of every recording in its noise, of 32767: speakers differ in how loud they were recorded."""
SPEEDS = (0.85, 1.15)
"""Of training recordings: played slower or faster they sound like other speakers."""


def make_noisy_digits(path: Path, *, seed: int = 0) -> dict[str, Array]:
    """Log-mel features and labels of three parts whose speakers differ.

    A recording starts at a random time within its second, in white or pink noise or in a babble of others of
    its part, between 5 and 15 dB louder than that.

    Args:
        path: the recordings; `x_*` (n, 8000) int16 padded with zeros, `y_*`, `speaker_*`.
        seed: of noises, times and speeds.
    """
    with np.load(path) as arrays:
        sounds, labels, speakers = (
            np.concatenate([arrays[f"{name}_train"], arrays[f"{name}_test"]])
            for name in ("x", "y", "speaker")
        )
    held_out = {"val": VALIDATION_SPEAKERS, "test": TEST_SPEAKERS}
    parts = {}
    for number, (part, copies) in enumerate(COPIES.items()):
        others = np.isin(speakers, (*VALIDATION_SPEAKERS, *TEST_SPEAKERS))
        mine = np.isin(speakers, held_out[part]) if part in held_out else ~others
        rows = np.tile(np.flatnonzero(mine), copies)
        rng = np.random.default_rng([seed, number])
        noisy = [
            _mix(sounds[row], sounds[rng.choice(rows, VOICES)], rng=rng, stretch=part == "train")
            for row in rows
        ]
        parts[f"x_{part}"] = log_mel(np.stack(noisy))
        parts[f"y_{part}"] = labels[rows]
    return parts


def _mix(sound: Array, others: Array, *, rng: np.random.Generator, stretch: bool) -> Array:
    """A recording in noise, (n,) int16."""
    length = len(sound)
    spoken = np.trim_zeros(sound.astype(np.float64), "b")
    if stretch:
        speed = rng.uniform(*SPEEDS)
        count = min(length, int(len(spoken) / speed))
        spoken = np.interp(np.arange(count) * speed, np.arange(len(spoken)), spoken)
    start = rng.integers(0, length - len(spoken) + 1)
    noise = _draw_noise(others, rng=rng)
    snr_db = rng.uniform(*SNR_DB)
    noise *= np.sqrt(np.mean(spoken**2) / np.mean(noise**2) / 10 ** (snr_db / 10))
    mixed = noise
    mixed[start : start + len(spoken)] += spoken
    scaled: Array = np.round(mixed * (LOUDEST / np.abs(mixed).max())).astype(np.int16)
    return scaled


def _draw_noise(others: Array, *, rng: np.random.Generator) -> Array:
    """White or pink noise or a babble, (n,)."""
    length = others.shape[1]
    kind = rng.integers(3)
    babble = np.zeros(length)
    if kind == 2:
        for voice in others:
            babble += np.roll(voice.astype(np.float64), rng.integers(length))
    white: Array = rng.normal(size=length)
    if kind != 1:
        return babble + white
    spectrum = np.fft.rfft(white)
    pink: Array = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), length)
    return pink


def log_mel(
    sounds: Array, *, rate_hz: int = 8000, frame: int = 320, hop: int = 160, bands: int = 20
) -> Array:
    """Log energies in mel bands, (samples, frames, bands, 1) float32, from (samples, n) int16."""
    mels = np.linspace(0, 2595 * np.log10(1 + rate_hz / 2 / 700), bands + 2)
    edges = 700 * (10 ** (mels / 2595) - 1) / rate_hz * 512
    bins = np.arange(257)
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling))
    starts = range(0, sounds.shape[1] - frame + 1, hop)
    features = np.empty((len(sounds), len(starts), bands, 1), np.float32)
    for few in np.array_split(np.arange(len(sounds)), max(1, len(sounds) // 512)):
        x = sounds[few].astype(np.float32) / 32768
        frames = np.stack([x[:, s : s + frame] for s in starts], axis=1) * np.hanning(frame)
        power = np.abs(np.fft.rfft(frames, 512, axis=-1)) ** 2
        features[few, ..., 0] = np.log(power @ filters + 1e-6)
    return features
