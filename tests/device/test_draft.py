import pytest

from edgeprune.device.draft import draft_profile
from edgeprune.device.profile import list_ids, load_profile
from edgeprune.errors import OutputError, ProfileError, UnknownNameError
from edgeprune.measuring.profiles import validate_profile


@pytest.mark.parametrize("origin", list_ids())
def test_a_draft_of_any_device_is_a_valid_profile_under_its_own_id(origin, tmp_path):
    file = tmp_path / "my-board.toml"
    draft_profile(file, origin=origin)
    assert validate_profile(file) == []
    draft, original = load_profile(str(file)), load_profile(origin)
    assert draft.id == "my-board"
    assert draft.memory == original.memory
    assert draft.budgets == original.budgets


def test_what_was_measured_on_the_original_is_borrowed_in_the_draft(tmp_path):
    file = tmp_path / "mine.toml"
    assert load_profile("nucleo-l4r5zi").latency.evidence == "measured"
    draft_profile(file, origin="nucleo-l4r5zi")
    assert load_profile(str(file)).latency.evidence == "borrowed"


def test_a_draft_says_first_what_to_change(tmp_path):
    file = tmp_path / "mine.toml"
    draft_profile(file, origin="cortex-m7")
    directive, first, *_ = file.read_text(encoding="utf-8").splitlines()
    assert directive.startswith("#:schema")
    assert first == "# Started from cortex-m7. What to change, in this order:"


def test_a_draft_starts_from_a_file_of_ones_own_too(tmp_path):
    draft_profile(tmp_path / "one.toml", origin="cortex-m4")
    draft_profile(tmp_path / "two.toml", origin=str(tmp_path / "one.toml"))
    assert load_profile(str(tmp_path / "two.toml")).id == "two"
    assert "Started from cortex-m4" not in (tmp_path / "two.toml").read_text(encoding="utf-8")


def test_a_file_that_exists_is_kept_unless_told_otherwise(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError, match="pass --force"):
        draft_profile(file, origin="cortex-m4")
    assert file.read_text(encoding="utf-8") == "precious"
    draft_profile(file, origin="cortex-m4", force=True)
    assert validate_profile(file) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mine", "ends in .toml"),
        ("mine.json", "call it mine.toml"),
        ("my board.toml", "its name is no id"),
        ("cortex-m7.toml", "a device that ships has this id"),
    ],
)
def test_a_name_that_no_profile_can_have_is_refused(name, reason, tmp_path):
    with pytest.raises(ProfileError, match=reason):
        draft_profile(tmp_path / name, origin="cortex-m4")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_origin_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'cortex-m7'"):
        draft_profile(tmp_path / "mine.toml", origin="cortx-m7")
