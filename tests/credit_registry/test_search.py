"""Whatever an inspector types finds the enterprise, says what matched, and never more than it knows."""

import ast
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import benchmarks.enterprises
import benchmarks.held_out
from benchmarks.enterprises import SLIPS, USUAL, enterprises, slips
from benchmarks.held_out import HELD_OUT
from credit_registry.indexing import build_index
from credit_registry.keys import SortedKeys, text_keys, write_keys
from credit_registry.search import Finder
from schemas.identifiers import check_character, read_uscc


def _code(number, division="500109"):
    head = f"91{division}MA5{number:06d}"
    return head + check_character(head)


KNOWN = [
    (_code(1), "重庆长虹电器有限公司", "500109"),
    (_code(2, "510703"), "绵阳京东方光电科技有限公司", "510703"),
    (_code(3, "510703"), "绵阳市宏达电子有限公司", "510703"),
    (_code(4), "重庆宏达电子有限公司", "500109"),
    (_code(5), "遵义高原建筑工程有限公司", "520300"),
    (_code(6), "遵义高原建筑工程有限公司重庆分公司", "500109"),
    (_code(7, "350104"), "福建奋安不锈钢有限公司", "350104"),
    (_code(8), "三雷(重庆)汽车零部件有限公司", "500109"),
    (_code(9), "重庆TCL王牌电器有限公司", "500109"),
    (_code(10), "宏达", "500109"),
    (_code(11), "重庆绿色吕氏环保有限公司", ""),
]
FORMER = [(_code(1), "重庆无线电三厂", "500109"), (_code(2, "510703"), "绵阳宏盛科技有限公司", "510703")]
INVENTED = 4_000


def _built(folder, rows):
    with closing(sqlite3.connect(folder / "register.db")) as connection:
        build_index(rows, connection, folder)
    return Finder(folder)


@pytest.fixture(scope="module")
def invented():
    return list(enterprises(INVENTED))


@pytest.fixture(scope="module")
def finder(tmp_path_factory, invented):
    rows = [(code, code, name, False, place) for code, name, place in KNOWN]
    rows += [(code, code, name, True, place) for code, name, place in FORMER]
    rows += [("", "某某养殖场", "某某养殖场", False, "")]
    rows += [(one.uscc, one.uscc, one.name, False, one.division) for one in invented]
    found = _built(tmp_path_factory.mktemp("register"), rows)
    yield found
    found.close()


def _names(hits):
    return [hit.name for hit in hits]


@pytest.mark.parametrize("text", [_code(3, "510703"), f" {_code(3, '510703').lower()} ", f"{_code(3, '510703')}001Q"])
def test_a_code_finds_one_enterprise_alone(finder, text):
    (hit,) = finder.find(text)
    assert (hit.name, hit.matched_field, hit.score) == ("绵阳市宏达电子有限公司", "code", 100)
    assert hit.region == "四川省绵阳市涪城区"


def test_a_code_the_register_does_not_hold_finds_nothing(finder):
    assert finder.find(_code(999_999)) == []


@pytest.mark.parametrize(
    "text", ["三雷（重庆）汽车零部件有限公司", "三雷重庆汽车零部件有限公司", "三雷(重慶)汽車零部件有限公司 "]
)
def test_a_name_is_the_same_in_every_spelling(finder, text):
    (hit,) = finder.find(text)
    assert (hit.uscc, hit.matched_field, hit.why_zh) == (_code(8), "name", "名称一致")


def test_a_former_name_leads_to_the_enterprise_and_says_so(finder):
    hit = finder.find("重庆无线电三厂")[0]
    assert (hit.matched_field, hit.name, hit.current_name) == ("former_name", "重庆无线电三厂", "重庆长虹电器有限公司")
    assert hit.score < 100 and "曾用名" in hit.why_zh


def test_a_former_name_is_found_fuzzily_too_with_the_name_of_today(finder):
    hit = finder.find("绵阳宏盛科技")[0]
    assert (hit.uscc, hit.matched_field, hit.current_name) == (
        _code(2, "510703"),
        "fuzzy",
        "绵阳京东方光电科技有限公司",
    )
    assert hit.why_zh.startswith("曾用")


def test_an_enterprise_without_a_code_is_found_by_its_name(finder):
    (hit,) = finder.find("某某养殖场")
    assert (hit.uscc, hit.subject, hit.region) == ("", "某某养殖场", "")


def test_two_characters_find_every_name_that_holds_them(finder, invented):
    """CRD-01: a trigram index finds none of them."""
    wanted = {name for _, name, _ in KNOWN if "宏达" in name} | {one.name for one in invented if "宏达" in one.name}
    found = finder.find("宏达", limit=1000)
    assert len(wanted) >= 3 and wanted <= set(_names(found))
    assert found[0].name == "宏达" and found[0].matched_field == "name", "the very name first, and not alone"
    many = {one.name for one in invented if "电子" in one.name}
    assert len(many) > 15 and many <= set(_names(finder.find("电子", limit=5000)))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("chongqingchanghong", "pinyin"),
        ("zhongqingzhanghong", "pinyin"),
        ("changhong", "pinyin"),
        ("zhanghongdianqi", "pinyin"),
        ("Chong Qing Chang Hong", "pinyin"),
        ("chongqingchangh", "pinyin"),
        ("cqch", "pinyin_initials"),
        ("cqzhdq", "pinyin_initials"),
        ("chdqyxgs", "pinyin_initials"),
    ],
)
def test_pinyin_finds_under_each_reading(finder, text, field):
    """CRD-02: 重 is chong or zhong, 长 is chang or zhang."""
    hits = {hit.name: hit for hit in finder.find(text)}
    assert hits["重庆长虹电器有限公司"].matched_field == field


@pytest.mark.parametrize("text", ["浙江俊土文化传播（普通合伙）", "浙江俊土文化传播(有限合伙)"])
def test_a_whole_name_that_ends_in_a_form_in_brackets_ends_the_search(tmp_path, text):
    names = [text, "浙江俊土文化传播有限公司"]
    finder = _built(tmp_path, [(_code(n), _code(n), name, False, "330100") for n, name in enumerate(names, 50)])
    assert [hit.matched_field for hit in finder.find(text)] == ["name"]
    finder.close()


def test_a_name_without_a_known_form_ends_the_search_unless_a_longer_one_has_it(tmp_path):
    names = ["江口荟倍挂面铺", "江口荟倍挂面铺子", "江口荟倍照相馆", "江口荟倍照相机馆", "重庆江口荟倍挂面铺"]
    finder = _built(tmp_path, [(_code(n), _code(n), name, False, "500109") for n, name in enumerate(names, 50)])
    assert _names(finder.find("江口荟倍照相馆")) == ["江口荟倍照相馆"]
    found = _names(finder.find("江口荟倍挂面铺"))
    assert found[0] == "江口荟倍挂面铺" and {"江口荟倍挂面铺子", "重庆江口荟倍挂面铺"} <= set(found)
    finder.close()


@pytest.mark.parametrize("text", ["lvse", "chongqinglvselvshi", "tcl", "tclwangpai", "cqtclwpdq", "sanlei"])
def test_u_umlaut_letters_and_brackets_are_spelt(finder, text):
    wanted = {"l": "重庆绿色吕氏环保有限公司", "s": "三雷(重庆)汽车零部件有限公司"}
    name = (
        "重庆绿色吕氏环保有限公司" if "lvs" in text else wanted["s"] if text == "sanlei" else "重庆TCL王牌电器有限公司"
    )
    assert name in _names(finder.find(text))


def test_the_region_asked_for_comes_first(finder):
    assert _names(finder.find("绵阳宏达电子"))[0] == "绵阳市宏达电子有限公司"
    assert _names(finder.find("宏达电子（重庆）公司"))[0] == "重庆宏达电子有限公司"
    first = finder.find("绵阳宏达")[0]
    assert "地区一致" in first.why_zh and "region agrees" in first.why_en


def test_part_of_a_name_finds_it(finder):
    assert _names(finder.find("绵阳京东方"))[0] == "绵阳京东方光电科技有限公司"


def test_a_branch_is_kept_apart_from_its_parent(finder):
    assert _names(finder.find("遵义高原建筑"))[0] == "遵义高原建筑工程有限公司"
    assert _names(finder.find("高原建筑工程重庆分公司"))[0] == "遵义高原建筑工程有限公司重庆分公司"
    assert [hit.uscc for hit in finder.find("遵义高原建筑工程有限公司")] == [_code(5)]


def test_another_character_of_the_same_sound_is_forgiven(finder):
    assert "重庆长虹电器有限公司" in _names(finder.find("常红电器"))
    assert "绵阳市宏达电子有限公司" in _names(finder.find("绵阳洪大"))


def test_what_resembles_nothing_finds_nothing(finder):
    assert finder.find("") == finder.find("  （） ") == finder.find("龘靐齉爩") == []
    assert finder.find("qqqqqqqq") == [] and finder.find("宏达电子", limit=0) == []


def test_hits_are_ordered_within_the_limit_and_each_once(finder):
    hits = finder.find("重庆宏达电子", limit=7)
    scores = [hit.score for hit in hits]
    assert len(hits) <= 7 and scores == sorted(scores, reverse=True) and max(scores) <= 100
    assert len({hit.subject for hit in hits}) == len(hits)


def test_only_the_very_same_is_called_the_same(finder):
    assert all(hit.matched_field == "fuzzy" and hit.score < 100 for hit in finder.find("重庆宏达电子有限公司（筹）"))


@pytest.mark.parametrize("kind", SLIPS)
def test_names_that_were_got_wrong_are_found(finder, invented, kind):
    """The measured recall at 1.5 million is in ``benchmarks``; at this size it must be nearly whole."""
    asked = slips(invented[::20], kind, seed=3)
    missed = [(text, one.name) for text, one in asked if one.uscc not in [hit.uscc for hit in finder.find(text)]]
    assert len(asked) > 90 and len(missed) <= 0.03 * len(asked), missed


@pytest.fixture(scope="module")
def unseen():
    return list(enterprises(INVENTED, 11, HELD_OUT))


@pytest.fixture(scope="module")
def unseen_finder(tmp_path_factory, unseen):
    rows = [(one.uscc, one.uscc, one.name, False, one.division) for one in unseen]
    found = _built(tmp_path_factory.mktemp("unseen"), rows)
    yield found
    found.close()


@pytest.mark.parametrize("kind", SLIPS)
def test_names_of_words_search_was_not_written_with_are_found_as_well(unseen_finder, unseen, kind):
    asked = slips(unseen[::20], kind, 5, HELD_OUT)
    missed = [(text, one.name) for text, one in asked if one.uscc not in [hit.uscc for hit in unseen_finder.find(text)]]
    assert len(asked) > 90 and len(missed) <= 0.05 * len(asked), missed


@pytest.mark.parametrize("module", [benchmarks.enterprises, benchmarks.held_out])
def test_names_are_invented_and_got_wrong_with_no_list_of_the_search(module):
    """Of ours the generator may know how a code is checked; regions, forms and readings it has from elsewhere."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    ours = {name for name in found if name.split(".")[0] in ("schemas", "credit_registry", "pipelines", "records")}
    assert ours <= {"schemas.identifiers"}
    assert not found & {"pathlib", "csv", "tomllib", "importlib", "importlib.resources"}, "no list read from a file"


def test_the_held_out_words_are_no_words_of_the_usual_ones():
    for part in ("brand", "trades", "wrong"):
        assert not set(getattr(HELD_OUT, part)) & set(getattr(USUAL, part)), part
    usual, unseen = ({place for line in one.places.values() for place in line.split()} for one in (USUAL, HELD_OUT))
    assert usual & unseen == {"绵阳"}


def test_threads_share_a_finder(finder):
    texts = ["宏达", "cqch", "绵阳京东方", _code(1), "重庆无线电三厂"] * 12
    alone = [finder.find(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(finder.find, texts)) == alone


def test_a_finder_keeps_its_files_when_the_register_moves_on(tmp_path):
    for number, name in enumerate(("重庆老名有限公司", "重庆新名有限公司")):
        folder = tmp_path / str(number)
        folder.mkdir()
        _built(folder, [(_code(1), _code(1), name, False, "500109")]).close()
    current = tmp_path / "current"
    current.symlink_to("0")
    old = Finder(current)
    (tmp_path / "next").symlink_to("1")
    (tmp_path / "next").replace(current)
    new = Finder(current)
    assert [_names(one.find(_code(1))) for one in (old, new)] == [["重庆老名有限公司"], ["重庆新名有限公司"]]
    old.close()
    new.close()


def test_an_index_without_names_answers(tmp_path):
    finder = _built(tmp_path, [])
    assert [finder.find(text) for text in (_code(1), "宏达电子有限公司", "宏达", "hongda", "hd")] == [[]] * 5
    finder.close()


def test_checksums_that_meet_do_not_mix_names(tmp_path):
    """A key holds 32 bits of a name: whoever asks compares the name itself."""
    write_keys(tmp_path / "k.npy", text_keys([7, 7, 9], [1, 2, 3]))
    assert SortedKeys(tmp_path / "k.npy").rows(7, 8, 10) == [1, 2]
    assert np.load(tmp_path / "k.npy").dtype == np.uint64


def test_invented_codes_are_valid(invented):
    assert {read_uscc(one.uscc).status for one in invented[:300]} == {"valid"}
    assert len({one.uscc for one in invented}) == len({one.name for one in invented}) == INVENTED
