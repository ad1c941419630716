"""Every console block of README and docs is run as a reader would run it, or says why not."""

import ast
import re
import tomllib

import pytest
from documentation.blocks import PAGES, ROOT, Session, is_like, read_blocks, read_steps
from documentation.given import provide_files

NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
ALL = [block for page in PAGES for block in read_blocks(page)]
WORDS = r"exact|nightly|exit \d+|needs [\w.-]+"
LANGUAGES = {"console", "python", "text", "toml", "yaml", "c", "kotlin", ""}


def names_with_blocks(*, nightly):
    found = [block for block in ALL if block.is_nightly == nightly and not block.marked("not run")]
    runs = {block.page for block in found if block.language == "console" or block.words}
    return [str(page.relative_to(ROOT)) for page in sorted(runs)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("tflite_micro", reason="pages show what TFLM says")
    folder = tmp_path_factory.mktemp("docs")
    if missing := provide_files(folder):
        pytest.skip(f"the shared models {missing} are not here")
    return folder


@pytest.fixture(scope="module")
def session(folder):
    """One for all pages: what one of them builds is there for the others."""
    return Session(folder=folder)


@pytest.mark.parametrize("name", names_with_blocks(nightly=False))
def test_a_page_shows_what_its_commands_print(session, name):
    faults = session.run_page(ROOT / name)
    assert not faults, "\n\n".join([*faults, "python scripts/update_docs.py writes what they print today"])


@pytest.mark.nightly
@pytest.mark.parametrize("name", names_with_blocks(nightly=True))
def test_so_does_one_whose_commands_take_long(session, name):
    session.nightly = True
    faults = session.run_page(ROOT / name)
    assert not faults, "\n\n".join(faults)


def test_marks_are_those_that_are_known():
    said = [word for block in ALL for word in block.words]
    assert said
    assert [word for word in said if not re.fullmatch(WORDS, word)] == []
    assert {block.language for block in ALL} <= LANGUAGES


def test_commands_stand_in_console_blocks_and_nowhere_else():
    others = [block for block in ALL if block.language in ("text", "")]
    odd = [b.name for b in others if any(line.startswith(("$ ", "edgeprune ")) for line in b.lines)]
    odd += [b.name for b in ALL if b.language == "console" and not b.lines[0].startswith("$ ")]
    assert odd == []
    indented = r"^    (?:\$ |edgeprune |pip |python )"
    pages = {name: (ROOT / name).read_text("utf-8") for name in NAMES}
    outside = {name: re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S) for name, text in pages.items()}
    assert [name for name, text in outside.items() if re.search(indented, text, re.M)] == []


@pytest.mark.parametrize("block", [b for b in ALL if b.language in ("python", "toml")], ids=lambda b: b.name)
def test_python_and_toml_can_be_read(block):
    text = "\n".join(block.lines)
    if block.language == "toml":
        tomllib.loads(text)
    else:
        ast.parse(text)


PAGE = """# A page

<!-- file: greeting.txt -->
```text
hello 7
```

<!-- run: exact -->
```console
$ cat greeting.txt
hello 7
$ cat greeting.txt | \\
>     tr a-z A-Z
HELLO 8
```

<!-- run: exit 3 -->
```console
$ echo no >&2; exit 3
no
```

<!-- not run: needs a board -->
```console
$ false
```

```console
$ echo 12 of 30 KiB
5 of 3 bytes
$ false
```
"""


def test_a_session_finds_what_is_not_as_shown(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE, "utf-8")
    found = read_blocks(page)
    commands = [[step.command for step in read_steps(block)] for block in found[1:3]]
    assert commands == [
        ["cat greeting.txt", "cat greeting.txt | \\\n    tr a-z A-Z"],
        ["echo no >&2; exit 3"],
    ]
    session = Session(folder=tmp_path)
    faults = [list(session.run_block(block)) for block in found]
    assert [len(of_block) for of_block in faults] == [0, 1, 0, 0, 1]
    assert "HELLO 7" in faults[1][0], "where 8 is shown"
    assert "'false' ended in 1, not 0" in faults[4][0]


def test_a_command_is_run_once_and_so_is_python(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- run: nightly -->\n```python\nopen('made', 'x')\n```\n", "utf-8")
    session = Session(folder=tmp_path, nightly=True)
    for _ in range(2):
        assert session.run("echo x >> file; cat file").lines == ("x",)
        assert session.run_page(page) == []
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("shown", "printed", "in_form", "exactly"),
    [
        (["a 1"], ["a 1"], True, True),
        (["a  1.5"], ["a 22"], True, False),
        (["flash 5962"], ["flash 10.19 k"], True, False),
        (["--- ----"], ["----- --"], True, False),
        (["a", "…", "z"], ["a", "b", "c", "z"], True, True),
        (["a", "…"], ["a"], True, True),
        (["fits x: … to spare"], ["fits x: 3 ms to spare"], True, True),
        (["fits x: …"], ["fits x: 3 ms", "to spare"], True, True),
        (["fits x: …"], ["fits x: 3 ms", "", "to spare"], False, False),
        (["fits"], ["exceeds"], False, False),
        (["a"], ["a", "b"], False, False),
        (["a"], [], False, False),
    ],
)
def test_outputs_are_compared_in_form_or_exactly(shown, printed, in_form, exactly):
    assert is_like(shown, printed, exact=False) is in_form
    assert is_like(shown, printed, exact=True) is exactly
