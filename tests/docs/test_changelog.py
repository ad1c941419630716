"""CHANGELOG.md is in the form of Keep a Changelog 1.1."""

import re

from documentation.blocks import ROOT

KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def find_faults(text):
    """What is not in that form, as sentences."""
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)
    faults = [] if versions[:1] == ["[Unreleased]"] else ["the first section is not [Unreleased]"]
    released = r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}(?: \[YANKED\])?"
    faults += [
        f"'{name}' is no version with a date" for name in versions[1:] if not re.fullmatch(released, name)
    ]
    dates = [name.split(" - ")[1] for name in versions[1:] if " - " in name]
    faults += [] if dates == sorted(dates, reverse=True) else ["versions are not latest first"]
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.*)$", section, re.MULTILINE)
        faults += [f"'{kind}' is no kind of change" for kind in kinds if kind not in KINDS]
        faults += [f"'{kind}' stands twice" for kind in set(kinds) if kinds.count(kind) > 1]
        listed = re.sub(r"^(?:## |### |- |  |\[).*$", "", "## " + section, flags=re.MULTILINE)
        faults += [f"'{line}' is in no list" for line in listed.splitlines() if line.strip()]
    return faults


def test_the_changelog_is_in_its_form():
    assert find_faults((ROOT / "CHANGELOG.md").read_text("utf-8")) == []


def test_a_fault_is_found():
    good = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- x\n  y\n\n"
    good += "## [1.0.0] - 2026-11-30\n\n### Fixed\n\n- z\n"
    assert find_faults(good) == []
    assert find_faults(good.replace("[Unreleased]", "1.1")) == ["the first section is not [Unreleased]"]
    assert find_faults(good.replace(" - 2026", " 2026")) == ["'[1.0.0] 2026-11-30' is no version with a date"]
    assert find_faults(good.replace("Fixed", "Bugs")) == ["'Bugs' is no kind of change"]
    assert find_faults(good + "loose\n") == ["'loose' is in no list"]
    assert find_faults(good + "\n## [1.1.0] - 2026-12-24\n") == ["versions are not latest first"]
