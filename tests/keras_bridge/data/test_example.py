import numpy as np

from edgeprune.keras_bridge.data.dataset import load_data
from edgeprune.keras_bridge.data.example import DIGITS, build_network, make_example
from edgeprune.keras_bridge.training.compiled import interface_of
from edgeprune.keras_bridge.training.task import resolve_task
from tests.keras_bridge.feeding import inputs_of, labels_of


def test_the_example_learns_to_read_digits() -> None:
    model, data = make_example(seed=0)
    task = resolve_task(model, data)
    predictions = model.predict(inputs_of(data.test)[0].astype(np.float32), verbose=0)
    assert task.score(predictions, labels_of(data.test)) >= 0.97
    assert task.metric == "accuracy"


def test_the_digits_are_all_there() -> None:
    model = build_network(4)
    data = load_data(str(DIGITS), interface=interface_of(model), seed=0)
    assert data.test is not None
    assert data.train.samples + len(data.validation) + data.test.samples == 1797
    assert (data.ranges[0].minimum, data.ranges[0].maximum) == (0, 16)
    assert (DIGITS.parent / "digits.md").read_text().count("CC BY 4.0")


def test_the_network_has_the_parameters_that_its_width_implies() -> None:
    # Width 4: convolutions 9·4 + 2·9·4·4, depthwise 9·4, pointwise 4·8, dense 8·10 + 10, and 4 per channel in
    # five normalizations of 4, 4, 4, 4 and 8 channels.
    assert build_network(4).count_params() == 36 + 288 + 36 + 32 + 90 + 4 * (4 * 4 + 8)
