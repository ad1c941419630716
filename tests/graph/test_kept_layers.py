import pytest
from graph.hand_made import Made, conv, dense, graph_of

from edgeprune.errors import RecipeError
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.kept_layers import find_layers, keep_layers, summarise_reasons


def chain() -> ChannelMap:
    """x → stem → enc/a → enc/b → head, and the branch "side" that is added to enc/b."""
    return name_channels(
        graph_of(
            {"x": (4, 4, 1)},
            conv("stem", "x", cin=1, cout=2),
            conv("enc/a", "stem", cin=2, cout=3),
            conv("enc/b", "enc/a", cin=3, cout=2),
            conv("side", "stem", cin=2, cout=2),
            Made("sum", "Add", ["enc/b", "side"], (4, 4, 2)),
            Made("flat", "Flatten", ["sum"], (32,)),
            dense("head", "flat", cin=32, cout=2),
        )
    )


def reasons(channels: ChannelMap, tensor: str) -> set[str]:
    return {channels.frozen[group] for group in channels.tensors[tensor].tolist()}


def test_a_kept_layer_keeps_its_channels_and_says_by_what() -> None:
    channels = keep_layers(chain(), ["stem"])
    assert reasons(channels, "stem") == {"kept by --keep stem"}
    assert reasons(channels, "enc/a") == {""}
    assert channels.kept_layers["stem"] == "kept by --keep stem"


def test_what_is_tied_to_a_kept_layer_stays_with_it() -> None:
    channels = keep_layers(chain(), ["side"])
    assert reasons(channels, "enc/b") == reasons(channels, "sum") == {"kept by --keep side"}


def test_a_layer_that_only_reads_channels_does_not_keep_them() -> None:
    assert reasons(keep_layers(chain(), ["head"]), "flat") == {""}


def test_a_transparent_layer_keeps_what_passes_it() -> None:
    assert reasons(keep_layers(chain(), ["flat"]), "side") == {"kept by --keep flat"}


def test_what_was_kept_for_another_reason_before_still_says_that_one() -> None:
    assert reasons(chain(), "head") == {"model output"}
    channels = keep_layers(chain(), ["head", "stem", "st*"])
    assert reasons(channels, "head") == {"model output"}
    assert reasons(channels, "stem") == {"kept by --keep stem"}  # of two patterns the first


def test_no_pattern_keeps_nothing_and_a_star_keeps_everything() -> None:
    channels = chain()
    assert keep_layers(channels, []).frozen == channels.frozen
    kept = keep_layers(channels, ["*"])
    assert not kept.prunable.any()
    assert summarise_reasons(kept).startswith("kept by --keep *")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("enc/a", ["enc/a"]),
        ("enc/*", ["enc/a", "enc/b"]),
        ("enc", ["enc/a", "enc/b"]),  # a nested model as a whole
        ("s*", ["stem", "side", "sum"]),
        ("?lat", ["flat"]),
        ("enc/[!a]", ["enc/b"]),
    ],
)
def test_patterns_are_those_of_a_shell(pattern: str, found: list[str]) -> None:
    assert find_layers(chain(), pattern, asked_by="a test") == found


def test_a_pattern_that_matches_nothing_names_the_nearest_layers() -> None:
    with pytest.raises(RecipeError, match=r"--keep stam: 'stam' matches no layer; the nearest are 'stem'"):
        keep_layers(chain(), ["stam"])
    with pytest.raises(RecipeError, match=r"the first layers are 'stem'"):
        keep_layers(chain(), ["zzzzzz"])
