from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data import table_cells
from edgeprune.keras_bridge.data.parts import Interface, RawData
from edgeprune.keras_bridge.data.tables import read_table


@dataclass(frozen=True)
class End:
    name: str
    shape: tuple[int | None, ...]


ONE = Interface(inputs=(End("x", (None, 2)),), outputs=(End("out", (None, 3)),))
TWO = Interface(
    inputs=(End("left", (None, 2)), End("right", (None,))),
    outputs=(End("kind", (None, 3)), End("box", (None, 2))),
)

Read = Callable[..., RawData]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(text: str, interface: Interface = ONE, *, name: str = "data.csv", seed: int = 0) -> RawData:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_table(path, interface, seed=seed)

    return read


def refusal(run: Callable[[], object]) -> DataError:
    with pytest.raises(DataError) as caught:
        run()
    assert caught.value.fix
    assert caught.value.where
    assert "\n" not in caught.value.message
    return caught.value


def everything(raw: RawData, part: str = "train") -> Any:
    source = raw.parts[part]
    return source.take(np.arange(source.samples))


def rows(header: str, *lines: str, times: int = 1) -> str:
    return "\n".join([header, *lines * times, ""])


SPLIT = rows("a,label,b,split", "1,2,0.5,train", "2,0,-1e3,train", "3,1,0,test", "4,1,0,Validation")


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("chunk", [1, 2**18])
def test_columns_become_features_labels_and_parts(
    read: Read, large: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_cells, "_CHUNK_CELLS", chunk)
    if large:
        monkeypatch.setattr(table_cells, "LOADED_BYTES", 0)
    raw = read(SPLIT)
    assert {part: source.samples for part, source in raw.parts.items()} == {"train": 2, "val": 1, "test": 1}
    batch = everything(raw)
    assert batch.x[0].dtype == np.float32
    assert batch.x[0].tolist() == [[1, 0.5], [2, -1000]]
    assert batch.y[0].dtype == np.int64
    assert batch.y[0].tolist() == [2, 0]
    assert raw.parts["train"].classes is not None
    assert everything(raw, "test").x[0].tolist() == [[3, 0]]
    assert raw.notes == ("Input 'x' is a, b.", "Labels of 'out' are label.")
    assert bool(raw.parts["train"].origin) == large


def test_a_table_between_tabs_is_read_likewise(read: Read) -> None:
    assert everything(read(SPLIT.replace(",", "\t"), name="data.TSV")).x[0].tolist() == [[1, 0.5], [2, -1000]]


def test_what_spreadsheets_write_is_read(read: Read) -> None:
    raw = read('\ufeff"a", b ,class,split\r\n"1",2,"x, y",train\r\n\r\n3, 4 ,z,train\r\n')
    assert everything(raw).x[0].tolist() == [[1, 2], [3, 4]]
    assert raw.class_names == ("x, y", "z")


def test_a_fifth_of_each_class_is_the_test_set_where_nothing_is_split(read: Read) -> None:
    text = rows("a,b,y", *(f"{i},0,{i % 2}" for i in range(20)))
    raw = read(text)
    assert {part: source.samples for part, source in raw.parts.items()} == {"train": 16, "test": 4}
    assert np.bincount(everything(raw, "test").y[0]).tolist() == [2, 2]
    assert "A fifth of the rows, drawn by the seed, is the test set." in raw.notes
    drawn = [everything(read(text, seed=seed), "test").x[0][:, 0].tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("chunk", [1, 2**18])
def test_texts_are_numbered_by_the_alphabet(read: Read, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_cells, "_CHUNK_CELLS", chunk)
    raw = read(rows("a,b,Class,split", "1,1,7,train", "1,1,dog,train", "1,1,cat,train", "1,1,dog,train"))
    assert raw.class_names == ("7", "cat", "dog")
    assert everything(raw).y[0].tolist() == [0, 2, 1, 2]


def test_fractions_are_float_labels_and_weights_are_weights(read: Read) -> None:
    raw = read(rows("a,b,target,weight,split", "1,1,0.5,2,train", "1,1,3,0.25,train"))
    batch = everything(raw)
    assert batch.y[0].dtype == np.float32
    assert batch.y[0].tolist() == [0.5, 3]
    assert batch.weights[0].tolist() == [2, 0.25]
    assert raw.parts["train"].classes is None


def test_several_label_columns_are_one_label_of_floats(read: Read) -> None:
    raw = read(rows("y_b,a,b,y_a,OUT_2,split", "1,5,6,0,1,train"))
    batch = everything(raw)
    assert batch.y[0].dtype == np.float32
    assert batch.y[0].tolist() == [[1, 0, 1]]
    assert batch.x[0].tolist() == [[5, 6]]


def test_labels_and_weights_may_be_missing(read: Read) -> None:
    raw = read(rows("a,b,weight,split", "1,2,1,train"))
    batch = everything(raw)
    assert batch.y is None
    assert batch.weights is None
    assert "Column 'weight' is not used: there are no labels." in raw.notes


def test_several_inputs_and_outputs_are_found_by_name(read: Read) -> None:
    raw = read(rows("left_1,y_box_1,right,kind,left_0,box_0,split", "1,2,3,cat,5,6,train"), TWO)
    batch = everything(raw)
    assert [x.tolist() for x in batch.x] == [[[5, 1]], [3]]
    assert [y.tolist() for y in batch.y] == [[0], [[6, 2]]]
    assert "Input 'left' is left_0, left_1." in raw.notes


def test_features_take_the_shape_of_the_input_and_it_is_told(read: Read) -> None:
    interface = Interface(inputs=(End("x", (None, 2, 2, 1)),), outputs=ONE.outputs)
    raw = read(rows("a,b,c,d,split", "1,2,3,4,train"), interface)
    assert everything(raw).x[0].reshape(-1).tolist() == [1, 2, 3, 4]
    assert everything(raw).x[0].shape == (1, 2, 2, 1)
    assert raw.notes == ("Input 'x' is a, b, c, d, row by row as (2, 2, 1).",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("a,b\n", "there are no rows"),
        ("1,2\n3,4\n", "first line holds numbers"),
        ("a;b\n1;2\n", "semicolons"),
        ("a,,b\n1,2,3\n", "column 2 has no name"),
        ("a,b,a\n1,2,3\n", "two columns 'a'"),
        ("a,b,weight,Sample_Weight\n1,2,3,4\n", "'weight' and 'Sample_Weight' mean the same"),
        ("a,b,id,label\n1,2,3,0\n", "3 columns of features, but the model's input 'x' takes 2 values (feat"),
        ("a,label\n1,2\n", "1 column of features, but the model's input 'x' takes 2 values (features are a)"),
        ("a,b\n1,2\n\n3\n", "line 4 has 1 cells, the header 2"),
        ("a,b\n1,2\n3,\n", "line 3 has nothing in the column 'b'"),
        ("a,b\n1,2\nnan,3\n", "line 3 has nan in the column 'a'"),
        ("a,b\n1,-inf\n", "line 2 has -inf in the column 'b'"),
        ("a,b\n1,1e39\n", "line 2 has 1e39 in the column 'b'"),
        ("a,b\n1,red\n", "line 2 has 'red' in the column 'b'"),
        ("a,b,y\n1,2,0\n1,2,\n", "line 3 has nothing in the column 'y'"),
        ("a,b,y\n1,2,cat\n1,2,\n", "line 3 has nothing in the column 'y'"),
        ("a,b,y_0,y_1\n1,2,no,1\n", "line 2 has 'no' in the column 'y_0'"),
        ("a,b,weight\n1,2,much\n", "line 2 has 'much' in the column 'weight'"),
        ("a,b,split\n1,2,train\n1,2,rest\n", "'split' holds 'rest'"),
        ("a,b,split\n1,2,0\n", "'split' holds numbers"),
        ("a,b,split\n1,2,test\n", "no row is of the part train"),
        ('a,b\n1,"2\n', "the table cannot be read"),
    ],
)
def test_each_fault_is_refused_with_its_place(read: Read, text: str, said: str) -> None:
    message = refusal(lambda: read(text)).message
    assert said in message, message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("left_0,left_1,right,kind\n1,2,3,4\n", "no label for the output 'box'"),
        ("left_0,left_1,right,label\n1,2,3,4\n", "'label' belongs to no output"),
        (
            "left_0,left_1,right,id\n1,2,3,4\n",
            "'id' belongs to no input of the model (its inputs are left, right)",
        ),
        ("left_0,left_1\n1,2\n", "input 'right' takes 1 values (features are missing)"),
    ],
)
def test_each_fault_of_several_inputs_and_outputs_is_refused(read: Read, text: str, said: str) -> None:
    message = refusal(lambda: read(text, TWO)).message
    assert said in message, message


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    assert "UnicodeDecodeError" in refusal(lambda: read_table(tmp_path / "data.csv", ONE, seed=0)).why


def test_an_open_input_is_refused(read: Read) -> None:
    interface = Interface(inputs=(End("x", (None, None)),), outputs=ONE.outputs)
    assert "an open number of values" in refusal(lambda: read("a,b\n1,2\n", interface)).what
