"""The table of recusal: every case names the reasons it must give, and its days where a boundary is meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import pytest

from expert_registry.people import Employment, Expert, GroupMember, Matter, Party, Tie
from expert_registry.recusal.affiliation import known_names
from expert_registry.recusal.reasons import Bench, RecusalFacts, recusals
from schemas.identifiers import check_character, organisation_check
from schemas.recusal_facts import recusal_reasons


def uscc(number: int, head: str = "91510703") -> str:
    """A code that passes its check, of no real enterprise: its organisation code is of the reserved MAYY series."""
    body = f"{head}MAYY9{number:03d}"
    code = body + organisation_check(body[8:])
    return code + check_character(code)


PACK, PACK_OLD, PARENT, SISTER, MAKER, OTHER, UNIVERSITY, TRADER = (uscc(n) for n in range(1, 9))
PACK_MOVED = PACK[:2] + "500109" + PACK[8:17]
PACK_MOVED += check_character(PACK_MOVED)
DAY = date(2026, 4, 1)
PARTY = Party(
    PACK,
    "四川示例涪滨包装有限公司",
    former_names=("绵阳示例纸箱厂",),
    other_codes=(PACK_OLD,),
    group=(
        GroupMember(PARENT, "四川示例控股集团有限公司", "parent", "2025年度报告"),
        GroupMember(SISTER, "绵阳示例印务有限公司", "same_control", "2025年度报告"),
        GroupMember("", "重庆示例纸业有限公司", "subsidiary", "经办人核实"),
    ),
    heads=("周示例",),
)
AUTHOR = Party(MAKER, "重庆示例环境咨询有限公司", heads=("郑示例",))
MATTER = Matter(
    "m-2026-017",
    "示例工业园废气治理方案评审",
    DAY,
    "mianyang",
    parties=(PARTY,),
    authors=(AUTHOR,),
    supervisors=("mianyang", "绵阳市示例经济开发区管理委员会"),
)
NAMES = known_names([("示例科技大学", UNIVERSITY), ("重庆示例贸易有限公司", TRADER), ("四川示例老名包装厂", PACK)])
FACTS = RecusalFacts(names=NAMES)


def made(**told: Any) -> Expert:
    """An expert of the university with nothing against him, and what is told."""
    at = datetime(2025, 1, 1, tzinfo=UTC)
    usual: dict[str, Any] = {
        "expert_id": "e-1", "bureau": "beibei", "name": "赵示例", "employer": "示例科技大学", "employer_uscc": UNIVERSITY,
        "title": "教授", "title_rank": "senior", "division": "500109", "state": "appointed", "term_start": None,
        "term_end": None, "bar_until": None, "certificate_until": None, "practice_since": None, "identity_mask": "",
        "phone_mask": "", "remark": "", "entered_at": at, "updated_at": at, "merged_into": None,
    }  # fmt: skip
    return Expert(**usual | told)


def work(employer: str = "", code: str = "", until: str = "", since: str = "", role: str = "employee") -> Employment:
    return Employment(employer, code, role, _day(since), _day(until), "本人申报")


def tie(kind: str, party: str = "", code: str = "", matter: str = "", **more: Any) -> Tie:
    days = {name: _day(more.pop(name, "")) for name in ("since", "until")}
    return Tie(kind, code, party, matter, days["since"], days["until"], more.get("amount"), more.get("detail", ""), "x")


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


@dataclass(frozen=True)
class Case:
    """What is told of the expert, which reasons must come of it, on which day; ``says`` stands in the evidence."""

    name: str
    reasons: tuple[str, ...]
    works: tuple[Employment, ...] = ()
    ties: tuple[Tie, ...] = ()
    on: date = DAY
    says: str = ""
    expert: dict[str, Any] = field(default_factory=dict)
    matter: dict[str, Any] = field(default_factory=dict)
    facts: RecusalFacts = FACTS


def ended(name: str, last: str, on: str, barred: bool) -> Case:
    """Worked for the party until ``last``; the matter is on ``on``."""
    reasons = ("employer_3y",) if barred else ()
    return Case(name, reasons, works=(work("", PACK, last),), on=date.fromisoformat(on))


def office(name: str, role: str, last: str, on: str, reason: str | None) -> Case:
    works = (work("四川示例涪滨包装有限公司", PACK, last, role=role),)
    return Case(name, (reason,) if reason else (), works=works, on=date.fromisoformat(on))


UNKNOWN = {"employer": "无名研究室", "employer_uscc": ""}
CASES = [
    Case("nothing is told: may sit", ()),
    # employer_now
    Case("the roster's employer is the party, by code", ("employer_now",), expert={"employer_uscc": PACK}),
    Case("by name where there is no code", ("employer_now",),
         expert={"employer": "四川示例涪滨包装有限公司", "employer_uscc": ""}, says="名称相同"),
    Case("by name in traditional script and other brackets", ("employer_now",),
         expert={"employer": "四川示例涪濱包裝有限公司 ", "employer_uscc": ""}),
    Case("the same name under another valid code: perhaps the code changed", ("employer_now",),
         expert={"employer": "四川示例涪滨包装有限公司", "employer_uscc": OTHER}),
    Case("by its former name", ("employer_now",), expert={"employer": "绵阳示例纸箱厂", "employer_uscc": ""}),
    Case("by its former code", ("employer_now",), expert={"employer": "", "employer_uscc": PACK_OLD}),
    Case("by the organisation code inside a code of another division", ("employer_now",),
         expert={"employer": "", "employer_uscc": PACK_MOVED}, says="组织机构代码段相同"),
    Case("by the nine characters of the organisation code alone", ("employer_now",),
         expert={"employer": "", "employer_uscc": PACK[8:17]}),
    Case("by a name the credit register knows with the party's code", ("employer_now",),
         expert={"employer": "四川示例老名包装厂", "employer_uscc": ""}, says="按名称查得"),
    Case("a branch behind the whole name, with a code of its own", ("employer_now",),
         expert={"employer": "四川示例涪滨包装有限公司重庆分公司", "employer_uscc": OTHER}, says="分支"),
    Case("a department behind the whole name, without a code", ("employer_now",),
         expert={"employer": "四川示例涪滨包装有限公司环保处", "employer_uscc": ""}),
    Case("a longer name with a code of its own that is no branch is somebody else", (),
         expert={"employer": "四川示例涪滨包装有限公司工会委员会", "employer_uscc": OTHER}),
    Case("a name of which only a part is the party's is somebody else", (),
         expert={"employer": "示例涪滨包装设计院", "employer_uscc": OTHER}),
    Case("a name that only sounds alike is somebody else", (),
         expert={"employer": "四川示例浮滨包装有限公司", "employer_uscc": OTHER}),
    Case("group: the parent", ("employer_now",), expert={"employer_uscc": PARENT}, says="母公司"),
    Case("group: under the same control", ("employer_now",), expert={"employer_uscc": SISTER}, says="同一控制"),
    Case("group: a subsidiary known by its name only", ("employer_now",),
         expert={"employer": "重庆示例纸业有限公司", "employer_uscc": ""}, says="子公司"),
    Case("an open employment beside another employer on the roster", ("employer_now",), works=(work("", PACK),)),
    Case("a second job that begins on the day", ("employer_now",), works=(work("", PACK, since="2026-04-01"),)),
    Case("a job that begins the day after does not count yet", (), works=(work("", PACK, since="2026-04-02"),)),
    Case("a job that ends on the day is a present one", ("employer_now",), works=(work("", PACK, "2026-04-01"),)),
    Case("declared: works for the party", ("employer_now",), ties=(tie("employer_now", code=PACK),)),
    # employer_3y: the boundary
    ended("ended the day before", "2026-03-31", "2026-04-01", True),
    ended("ended three years ago to the day: the last day barred", "2023-04-01", "2026-04-01", True),
    ended("ended three years and a day ago: free", "2023-03-31", "2026-04-01", False),
    ended("29 February: barred through 28 February", "2024-02-29", "2027-02-28", True),
    ended("29 February: free on 1 March", "2024-02-29", "2027-03-01", False),
    ended("28 February before a leap year: barred on the 28th", "2021-02-28", "2024-02-28", True),
    ended("28 February before a leap year: free on the 29th", "2021-02-28", "2024-02-29", False),
    ended("1 March: barred on 1 March of a year", "2021-03-01", "2024-03-01", True),
    ended("1 March: free on 2 March", "2021-03-01", "2024-03-02", False),
    ended("the matter on 29 February, ended on 1 March three years before", "2021-03-01", "2024-02-29", True),
    ended("end of a month: 31 August to 31 August", "2023-08-31", "2026-08-31", True),
    ended("end of a month: free on 1 September", "2023-08-31", "2026-09-01", False),
    ended("end of a year: 31 December to 31 December", "2022-12-31", "2025-12-31", True),
    ended("end of a year: free on 1 January", "2022-12-31", "2026-01-01", False),
    ended("the term ends on a holiday and is not made longer", "2023-10-01", "2026-10-02", False),
    Case("three years to the day at an enterprise of the group", ("employer_3y",), works=(work("", PARENT, "2023-04-01"),)),
    Case("three years and a day at an enterprise of the group", (), works=(work("", PARENT, "2023-03-31"),)),
    Case("under the former name, three years to the day", ("employer_3y",),
         works=(work("绵阳示例纸箱厂", "", "2023-04-01"),)),
    Case("under the former name, a day earlier", (), works=(work("绵阳示例纸箱厂", "", "2023-03-31"),)),
    Case("declared: worked there until three years ago", ("employer_3y",),
         ties=(tie("employer_3y", code=PACK, until="2023-04-01"),)),
    Case("declared: worked there until a day earlier", (), ties=(tie("employer_3y", code=PACK, until="2023-03-31"),)),
    Case("days that are turned end on the later one", ("employer_3y",),
         works=(work("", PACK, until="2020-01-01", since="2024-01-01"),)),
    Case("left and came back: both are told", ("employer_now", "employer_3y"),
         works=(work("", PACK, "2024-01-01", "2020-01-01"), work("", PACK, since="2025-01-01"))),
    # offices
    office("a director today", "director", "", "2026-04-01", "director_supervisor_3y"),
    office("a supervisor three years ago to the day", "supervisor", "2023-04-01", "2026-04-01", "director_supervisor_3y"),
    office("a supervisor a day earlier", "supervisor", "2023-03-31", "2026-04-01", None),
    office("a controlling shareholder today", "shareholder", "", "2026-04-01", "shareholder_controller_3y"),
    office("the actual controller until 29 February", "controller", "2024-02-29", "2027-02-28", "shareholder_controller_3y"),
    office("the actual controller, free on 1 March", "controller", "2024-02-29", "2027-03-01", None),
    Case("a director of the parent", ("director_supervisor_3y",), works=(work("", PARENT, role="director"),)),
    Case("declared: a director", ("director_supervisor_3y",), ties=(tie("director_supervisor_3y", code=PACK),)),
    Case("declared: a shareholder until a day too early", (),
         ties=(tie("shareholder_controller_3y", code=PACK, until="2023-03-31"),)),
    # kin_of_head, head_namesake
    Case("kin of a head, told with the party's code", ("kin_of_head",), ties=(tie("kin_of_head", code=PACK, detail="配偶"),)),
    Case("kin of a head, told with the head's name", ("kin_of_head",), ties=(tie("kin_of_head", "周 示例"),)),
    Case("kin of a head of the parent", ("kin_of_head",), ties=(tie("kin_of_head", code=PARENT),)),
    Case("kin of a head of somebody else", (), ties=(tie("kin_of_head", code=OTHER),)),
    Case("a marriage that ended the day before", (), ties=(tie("kin_of_head", code=PACK, until="2026-03-31"),)),
    Case("a marriage that ends on the day", ("kin_of_head",), ties=(tie("kin_of_head", code=PACK, until="2026-04-01"),)),
    Case("kin, but it is not said of whom", ("kin_of_head",), ties=(tie("kin_of_head", detail="姻亲"),), says="未写明"),
    Case("bears the head's name", ("head_namesake",), expert={"name": "周示例"}),
    Case("bears the head's name with a blank inside", ("head_namesake",), expert={"name": "周 示 例"}),
    Case("bears a name that only looks like the head's", (), expert={"name": "周示倒"}),
    Case("bears the head's name, cleared for the party", (), expert={"name": "周示例"},
         ties=(tie("namesake_cleared", code=PACK),)),
    Case("bears the head's name, cleared for another party", ("head_namesake",), expert={"name": "周示例"},
         ties=(tie("namesake_cleared", code=OTHER),)),
    Case("bears the head's name, the clearance names nobody", ("head_namesake",), expert={"name": "周示例"},
         ties=(tie("namesake_cleared"),)),
    Case("bears the head's name, the clearance ended", ("head_namesake",), expert={"name": "周示例"},
         ties=(tie("namesake_cleared", code=PACK, until="2026-03-31"),)),
    # author_of_the_reviewed_work
    Case("works for who made the work", ("author_of_the_reviewed_work",), expert={"employer_uscc": MAKER}),
    Case("worked for the maker three years ago to the day", ("author_of_the_reviewed_work",),
         works=(work("", MAKER, "2023-04-01"),)),
    Case("worked for the maker, a day earlier", (), works=(work("", MAKER, "2023-03-31"),)),
    Case("declared: took part in this very work, long ago", ("author_of_the_reviewed_work",),
         ties=(tie("author_of_the_reviewed_work", matter="m-2026-017", until="2015-01-01"),)),
    Case("declared: took part in another work", (), ties=(tie("author_of_the_reviewed_work", matter="m-2020-001"),)),
    # adviser_or_contract_3y
    Case("adviser of the party today, with the amount", ("adviser_or_contract_3y",),
         ties=(tie("adviser_or_contract_3y", code=PACK, amount=1_234_505),), says="12345.05 元"),
    Case("a contract that ended three years ago to the day", ("adviser_or_contract_3y",),
         ties=(tie("adviser_or_contract_3y", code=PACK, until="2023-04-01"),)),
    Case("a contract that ended a day earlier", (), ties=(tie("adviser_or_contract_3y", code=PACK, until="2023-03-31"),)),
    Case("a contract for nothing counts too", ("adviser_or_contract_3y",),
         ties=(tie("adviser_or_contract_3y", "四川示例涪滨包装有限公司", amount=0),), says="0.00 元"),
    Case("a contract with the sister enterprise", ("adviser_or_contract_3y",), ties=(tie("adviser_or_contract_3y", code=SISTER),)),
    Case("a contract with somebody else", (), ties=(tie("adviser_or_contract_3y", code=TRADER),)),
    Case("a contract with the supervising authority is none with a party", (),
         ties=(tie("adviser_or_contract_3y", "绵阳市生态环境局"),)),
    # same_research_group
    Case("in one research group with the makers", ("same_research_group",), ties=(tie("same_research_group", code=MAKER),)),
    Case("a research group that ended on the day", ("same_research_group",),
         ties=(tie("same_research_group", code=MAKER, until="2026-04-01"),)),
    Case("a research group that ended the day before", (), ties=(tie("same_research_group", code=MAKER, until="2026-03-31"),)),
    # supervising_official
    Case("on the staff of the bureau that supervises", ("supervising_official",),
         expert={"employer": "四川省绵阳市生态环境局", "employer_uscc": ""}),
    Case("in a department of it", ("supervising_official",),
         expert={"employer": "绵阳市生态环境局综合执法支队", "employer_uscc": ""}),
    Case("of an authority that is named", ("supervising_official",),
         expert={"employer": "绵阳市示例经济开发区管理委员会", "employer_uscc": ""}),
    Case("left the authority the day before: only present staff", (), works=(work("绵阳市生态环境局", "", "2026-03-31"),)),
    Case("leaves the authority on the day", ("supervising_official",), works=(work("绵阳市生态环境局", "", "2026-04-01"),)),
    Case("of the other place's bureau, which does not supervise", (),
         expert={"employer": "北碚区生态环境局", "employer_uscc": ""}),
    Case("declared: supervises it", ("supervising_official",), ties=(tie("supervising_official", "绵阳市生态环境局"),)),
    # prior_opinion_on_same_matter
    Case("gave an opinion on this matter, by its number", ("prior_opinion_on_same_matter",),
         ties=(tie("prior_opinion_on_same_matter", matter="m-2026-017", until="2019-05-01"),)),
    Case("gave an opinion on this matter, by its title", ("prior_opinion_on_same_matter",),
         ties=(tie("prior_opinion_on_same_matter", matter="示例工业园 废气治理方案评审"),)),
    Case("gave an opinion on another matter of the party", (),
         ties=(tie("prior_opinion_on_same_matter", code=PACK, matter="m-2025-003"),)),
    Case("on record as having given an opinion", ("prior_opinion_on_same_matter",),
         facts=RecusalFacts(names=NAMES, opined=frozenset({"e-1"}))),
    # declared_other, party_request_upheld
    Case("another relation to the party", ("declared_other",), ties=(tie("declared_other", code=PACK, detail="校友"),), says="校友"),
    Case("another relation to somebody else", (), ties=(tie("declared_other", code=OTHER),)),
    Case("another relation that names nobody", ("declared_other",), ties=(tie("declared_other", detail="不便说明"),)),
    Case("another relation that ended", (), ties=(tie("declared_other", code=PACK, until="2026-03-31"),)),
    Case("a kind of relation nobody knows is told as another one", ("declared_other",), ties=(tie("godfather", code=PACK),)),
    Case("a request of a party was upheld", ("party_request_upheld",), matter={"upheld": ("e-1",)}),
    Case("a request of a party was upheld against somebody else", (), matter={"upheld": ("e-2",)}),
    # affiliation_unknown
    Case("no employer at all", ("affiliation_unknown",), expert={"employer": "", "employer_uscc": ""}),
    Case("an employer nobody has on record, without a code", ("affiliation_unknown",), expert=UNKNOWN),
    Case("a known name without a code", (), expert={"employer": "示例科技大学", "employer_uscc": ""}),
    Case("an unknown name with a usable code", (), expert={"employer": "无名研究室", "employer_uscc": OTHER}),
    Case("an unknown name with a code that fails its check", ("affiliation_unknown",),
         expert=UNKNOWN | {"employer_uscc": OTHER[:17] + ("0" if OTHER[17] != "0" else "1")}),
    Case("a masked code beside an unknown name", ("affiliation_unknown",), expert=UNKNOWN | {"employer_uscc": "9151**********"}),
    Case("a hidden name", ("affiliation_unknown",), expert={"employer": "四川***公司", "employer_uscc": ""}),
    Case("“unknown” as a name", ("affiliation_unknown",), expert={"employer": "不详", "employer_uscc": ""}),
    Case("works for nobody", (), expert={"employer": "自由职业者", "employer_uscc": ""}),
    Case("retired, and nobody knows from where", ("affiliation_unknown",), expert={"employer": "退休", "employer_uscc": ""}),
    Case("retired from a known employer", (), expert={"employer": "（已退休）", "employer_uscc": ""},
         works=(work("示例科技大学", UNIVERSITY, "2025-01-01"),)),
    Case("retired from the party a year ago", ("employer_3y",), expert={"employer": "退休", "employer_uscc": ""},
         works=(work("四川示例涪滨包装有限公司", PACK, "2025-01-01"),)),
    Case("an unknown employer until three years ago to the day", ("affiliation_unknown",),
         works=(work("无名研究室", "", "2023-04-01"),)),
    Case("an unknown employer until a day earlier", (), works=(work("无名研究室", "", "2023-03-31"),)),
    Case("unknown, cleared for this matter", (), expert=UNKNOWN, ties=(tie("affiliation_cleared", matter="m-2026-017"),)),
    Case("unknown, cleared for another matter", ("affiliation_unknown",), expert=UNKNOWN,
         ties=(tie("affiliation_cleared", matter="m-2025-001"),)),
    Case("unknown, cleared for that employer", (), expert=UNKNOWN, ties=(tie("affiliation_cleared", "无名研究室"),)),
    Case("unknown, cleared for one of two sides", ("affiliation_unknown",), expert=UNKNOWN,
         ties=(tie("affiliation_cleared", code=PACK),)),
    Case("unknown, cleared for both sides", (), expert=UNKNOWN,
         ties=(tie("affiliation_cleared", code=PACK), tie("affiliation_cleared", code=MAKER))),
    Case("unknown, all cleared, but the clearance ended", ("affiliation_unknown",), expert=UNKNOWN,
         ties=(tie("affiliation_cleared", since="2025-01-01", until="2026-03-31"),)),
    Case("unknown, all cleared through this day", (), expert=UNKNOWN,
         ties=(tie("affiliation_cleared", since="2025-01-01", until="2026-04-01"),)),
    Case("the unknown employer is newer than the clearance", ("affiliation_unknown",),
         works=(work("无名研究室", since="2025-06-01"),), ties=(tie("affiliation_cleared", since="2025-01-01"),)),
    Case("a hit on the name alone, cleared for the party", (),
         expert={"employer": "四川示例涪滨包装有限公司", "employer_uscc": OTHER}, ties=(tie("affiliation_distinct", code=PACK),)),
    Case("a hit on the code cannot be cleared", ("employer_now",), expert={"employer_uscc": PACK},
         ties=(tie("affiliation_distinct", code=PACK),)),
    # other_bureau_rule
    Case("the rule is on: an expert of the asking side", ("other_bureau_rule",), expert={"bureau": "mianyang"},
         facts=RecusalFacts("exclude-own-side", NAMES)),
    Case("the rule is on: an expert of the other side", (), facts=RecusalFacts("exclude-own-side", NAMES)),
    Case("the rule is off: an expert of the asking side", (), expert={"bureau": "mianyang"}),
    # several
    Case("several reasons stand in the order of the vocabulary", ("employer_now", "kin_of_head", "adviser_or_contract_3y"),
         expert={"employer_uscc": PACK},
         ties=(tie("adviser_or_contract_3y", code=PACK), tie("kin_of_head", code=PACK))),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_recusal(case):
    matter = Matter(**{name: getattr(MATTER, name) for name in MATTER.__slots__} | {"on": case.on} | case.matter)
    expert = made(**case.expert | {"employments": case.works, "ties": case.ties})
    found = recusals(expert, matter, case.facts)
    assert tuple(one.reason for one in found) == case.reasons
    assert all(one.evidence and one.evidence_en and one.evidence != one.evidence_en for one in found)
    assert not case.says or any(case.says in one.evidence for one in found), found


def test_the_table_is_whole():
    assert len(CASES) >= 80 and len({case.name for case in CASES}) == len(CASES)
    told = {reason for case in CASES for reason in case.reasons}
    assert told == {code for code, reason in recusal_reasons().items() if reason.kind == "reason"}


def test_a_recusal_carries_the_days_it_bars():
    (found,) = recusals(made(employments=(work("", PACK, "2024-02-29", "2020-05-01"),)), MATTER, FACTS)
    assert (found.since, found.until) == (date(2020, 5, 1), date(2027, 2, 28))
    assert "2020-05-01至2024-02-29" in found.evidence and "回避至2027-02-28（含当日）" in found.evidence
    assert "it bars through 2027-02-28" in found.evidence_en


def test_every_day_agrees_with_counting_the_term_day_by_day():
    """Independently: the three years are over once as many anniversaries (or ends of month) have passed."""
    import calendar

    bench = {}
    for start in (date(2020, 2, 27), date(2024, 2, 27), date(2023, 12, 30), date(2021, 2, 26)):
        for step in range(5):
            last = date.fromordinal(start.toordinal() + step)
            for after in range(-3, 4):
                end = (last.year + 3, last.month, min(last.day, calendar.monthrange(last.year + 3, last.month)[1]))
                on = date.fromordinal(date(*end).toordinal() + after)
                bench.setdefault(on, Bench(Matter("m", "t", on, "beibei", parties=(PARTY,)), FACTS))
                found = bench[on].recusals(made(employments=(work("", PACK, last.isoformat()),)))
                assert bool(found) == (after <= 0), (last, on)


def test_other_records_of_the_same_person_count():
    other = made(expert_id="e-2", bureau="mianyang", employer="", employer_uscc=PACK)
    assert [one.reason for one in recusals(made(), MATTER, FACTS, (other,))] == ["employer_now"]
    rule = RecusalFacts("exclude-own-side", NAMES)
    clean = made(expert_id="e-2", bureau="mianyang")
    assert [one.reason for one in recusals(made(), MATTER, rule, (clean,))] == ["other_bureau_rule"]
    upheld = Matter("m", "t", DAY, "beibei", upheld=("e-2",))
    assert [one.reason for one in recusals(made(), upheld, FACTS, (clean,))] == ["party_request_upheld"]


def test_an_identity_number_typed_as_a_code_is_masked_in_the_evidence():
    typed = "510703190001010019"
    (found,) = recusals(made(employer="无名研究室", employer_uscc=typed), MATTER, FACTS)
    assert typed not in found.evidence + found.evidence_en and "510***********0019" in found.evidence
