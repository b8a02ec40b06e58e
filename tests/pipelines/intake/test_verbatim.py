"""A partner's JSON: strict, and cut word for word."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import BadAnswer
from pipelines.intake.verbatim import decode_page, items_at, read_json, value_at


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}', '{"a": NaN}', "[Infinity]", "[-Infinity]", "[" * 33 + "]" * 33, '["\\ud800"]', "[1,]",
        '{"a": 1', "", '["a\nb"]', "[1] [2]", "'a'", "[01]", "[" * 100_000, '{"a":' * 50_000, '["' + '\\"' * 1_000_000,
    ],
)  # fmt: skip
def test_what_is_not_strict_is_refused(text):
    with pytest.raises(BadAnswer) as caught:
        read_json(text)
    assert caught.value.code == "bad-json"


@pytest.mark.parametrize(
    "text", ["[1e400]", "[" + "9" * 10_000 + "]", "[" * 32 + "]" * 32, '["[[[\\"]]]"]', '["\\ud83d\\ude00"]']
)
def test_what_is_strange_but_right_is_taken(text):
    assert read_json(text)


def test_neither_utf8_nor_gb18030_is_refused():
    with pytest.raises(BadAnswer) as caught:
        decode_page(b"[1, \xff\xff]")
    assert caught.value.code == "bad-encoding"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_a_page_is_read_in_any_encoding_of_files(encoding):
    assert read_json(decode_page('{"站点": "缙云山"}'.encode(encoding))) == {"站点": "缙云山"}


def test_numbers_keep_their_text():
    text = '{"d": {"rows": [{"v": 0.10, "n": 1E+2}, {"v":1.0000000000000000001} ]}, "rows": [7]}'
    assert list(items_at(text, "d.rows")) == ['{"v": 0.10, "n": 1E+2}', '{"v":1.0000000000000000001}']


def test_a_missing_path_names_the_part_that_is_missing():
    with pytest.raises(KeyError, match=r"data\.rows"):
        value_at({"data": {"list": []}}, "data.rows.x")


leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
value = st.recursive(leaf, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(st.lists(value), st.text(), st.sampled_from([None, 0, 2]), st.booleans())
def test_the_items_cut_are_the_items_written(items, other, indent, ascii_only):
    def write(data):
        return json.dumps(data, indent=indent, ensure_ascii=ascii_only)

    text = write({"before" + other: {"rows": [other]}, "data": {"x" + other: [], "rows": items}, "after": [[]]})
    if not text.isascii() and any(0xD800 <= ord(sign) < 0xE000 for sign in text):
        return
    cut = list(items_at(text, "data.rows"))
    assert [json.loads(one) for one in cut] == items
    assert all(one in text for one in cut)
    assert list(items_at(write(items), "")) == cut or indent
