"""JSON of a partner, read strictly and cut word for word: what is kept of an answer is what was written in it.

Numbers stay texts (``0.10`` is not ``0.1``, ``1e400`` not infinity). A name twice in one object, NaN, deep nesting, half
a character or bytes of no encoding are errors by name: to guess there would be to invent data.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipelines.errors import BadAnswer
from pipelines.intake.text import BOMS

DEPTH = 32
_SPACE = re.compile(r"[ \t\n\r]*")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
# a string never closed is taken to the end, or each escaped quote in it would be tried anew
_SIGNS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def decode_page(body: bytes) -> str:
    r"""Decode an answer by the rule of files: mark at the beginning, strict UTF-8, strict GB18030; a declared charset may lie.

    Raises
    ------
    BadAnswer
        ``bad-encoding``.

    Examples
    --------
    >>> decode_page("缙云山".encode("gbk")), decode_page(b"\xef\xbb\xbf[]")
    ('缙云山', '[]')
    """
    try:
        for mark, codec, _ in BOMS:
            if body.startswith(mark):
                return body[len(mark) :].decode(codec)
        try:
            return body.decode("utf-8")
        except UnicodeDecodeError:
            return body.decode("gb18030")
    except UnicodeDecodeError as error:
        raise BadAnswer(
            "bad-encoding",
            f"返回内容第 {error.start} 字节起既不是 UTF-8 也不是 GB18030 文字；请对方检查接口编码",
            f"from byte {error.start} the answer is neither UTF-8 nor GB18030",
        ) from error


def read_json(text: str) -> Any:
    """Parse strictly, with every number as the text it was written in.

    Raises
    ------
    BadAnswer
        ``bad-json``.

    Examples
    --------
    >>> read_json('{"a": 0.10, "b": [1e400, null]}')
    {'a': '0.10', 'b': ['1e400', None]}
    """
    _check_depth(text)
    try:
        data = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _bad(
            f"JSON 第 {error.lineno} 行第 {error.colno} 个字符处有误，内容可能不完整",
            f"the JSON is broken at line {error.lineno}, character {error.colno}: {error.msg}",
        ) from error
    if _HALF.search(text):
        _check_characters(data)
    return data


def items_at(text: str, path: str) -> Iterator[str]:
    """Cut the items of the list at a dotted path, word for word; the text has passed :func:`read_json`.

    Examples
    --------
    >>> list(items_at('{"data": {"rows": [ {"v": 0.10} , 7 ]}}', "data.rows"))
    ['{"v": 0.10}', '7']
    """
    at = _skip(text, 0)
    for name in path.split(".") if path else ():
        at = _value_of(text, at, name)
    if text[at] != "[":  # null
        return
    at = _skip(text, at + 1)
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield text[at:end]
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at


def value_at(data: Any, path: str) -> Any:
    """Give what stands at a dotted path of parsed JSON.

    Raises
    ------
    KeyError
        A name of the path is not there; its argument is the part of the path that is missing.
    """
    for number, name in enumerate(path.split(".") if path else ()):
        if not isinstance(data, dict) or name not in data:
            raise KeyError(".".join(path.split(".")[: number + 1]))
        data = data[name]
    return data


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _value_of(text: str, at: int, name: str) -> int:
    """Find where the value of a member begins; ``at`` is the bracket of its object."""
    at = _skip(text, at + 1)
    while text[at] == '"':
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if key == name:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        at = _skip(text, at + 1) if text[at] == "," else at
    raise KeyError(name)


def _check_depth(text: str) -> None:
    """Count brackets before anything recurses into them."""
    if text.count("[") + text.count("{") <= DEPTH:
        return
    depth = 0
    for sign in _SIGNS.finditer(text):
        mark = text[sign.start()]
        if mark in "[{":
            depth += 1
            if depth > DEPTH:
                raise _bad(f"JSON 嵌套超过 {DEPTH} 层", f"the JSON nests deeper than {DEPTH}")
        elif mark in "]}":
            depth -= 1


def _check_characters(data: Any) -> None:
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _bad("JSON 中含有不成对的代理码位（半个字符）", "the JSON holds a lone surrogate") from error


def _constant(name: str) -> None:
    raise _bad(f"JSON 中含有 {name}，不是有效数值", f"the JSON holds {name}, which is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise _bad(f"JSON 的一个对象中“{twice[:40]}”出现了两次", f"{twice[:40]!r} stands twice in one JSON object")
    return found


def _bad(message: str, message_en: str) -> BadAnswer:
    return BadAnswer("bad-json", f"{message}；请对方修正接口后重试", f"{message_en}; the sender has to mend it")


_DECODER = json.JSONDecoder(
    parse_float=str, parse_int=str, parse_constant=_constant, object_pairs_hook=_object, strict=True
)
