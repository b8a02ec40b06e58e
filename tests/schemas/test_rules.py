"""Rules: public codes, two languages, a source; a malformed one is refused by its code."""

import re

import pytest

from schemas.files import MalformedFact
from schemas.rules import SEVERITIES, all_rules, read_rules, rules

GOOD = """[WATER-001]
check = "within"
on = "result"
column = "value"
where = { parameter = "pH" }
arguments = { low = 0, high = 14 }
severity = "flag"
message_zh = "pH 应在 0 与 14 之间"
message_en = "pH lies between 0 and 14"
source = "range of the scale"
"""
PREFIX = {
    "air_observation": "AIR", "water_result": "WATER", "soil_result": "SOIL", "credit_rating": "CREDIT",
    "penalty_decision": "PENALTY", "experts": "EXPERT",
}  # fmt: skip


@pytest.fixture
def read(tmp_path):
    def make(text: str):
        path = tmp_path / "water_result.toml"
        path.write_text(text, encoding="utf-8")
        return read_rules(path)

    return make


def test_there_are_rules_for_every_data_set_under_its_own_prefix():
    assert {rule.table for rule in all_rules()} == set(PREFIX)
    assert all(rule.code.startswith(PREFIX[rule.table] + "-") for rule in all_rules())
    assert len(all_rules()) >= 60 and all(len(rules(table)) >= 10 for table in PREFIX)


def test_messages_are_in_both_languages():
    for rule in all_rules():
        assert re.search("[一-鿿]", rule.message_zh), rule.code
        assert not re.search("[一-鿿]", rule.message_en), rule.code
        assert bool(rule.hint_zh) == bool(rule.hint_en), rule.code
        assert rule.source and rule.severity in SEVERITIES


def test_a_good_rule_is_read(read):
    [rule] = read(GOOD)
    assert (rule.code, rule.table, rule.where, rule.arguments) == (
        "WATER-001", "water_result", {"parameter": ("pH",)}, {"low": 0, "high": 14},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[WATER-001]", "[water1]", "under a code such as"),
        ('check = "within"', 'check = "eval"', "check 'eval' is none of"),
        ("{ low = 0, high = 14 }", "{ formula = 'x>1' }", "takes"),
        ("{ low = 0, high = 14 }", "{ }", "'low' or 'high' is missing"),
        ('"flag"', '"fatal"', "severity 'fatal'"),
        ('on = "result"', 'on = "cell"', "'on' is 'row' or 'result'"),
        ('source = "range of the scale"\n', "", "'source' is missing"),
        ('message_en = "pH lies between 0 and 14"\n', "", "'message_en' is missing"),
        ("severity", "sev", "unknown key"),
        ('check = "within"', 'check = "matches"', "takes"),
        ('check = "within"\n', 'check = "none_of"\n', "takes"),
    ],
)
def test_a_malformed_rule_is_refused_by_its_code(old, new, reason, read):
    assert old in GOOD
    with pytest.raises(MalformedFact) as refusal:
        read(GOOD.replace(old, new))
    assert reason in refusal.value.reason


def test_a_pattern_that_does_not_compile_is_refused(read):
    text = GOOD.replace('"within"', '"matches"').replace("{ low = 0, high = 14 }", '{ pattern = "(" }')
    with pytest.raises(MalformedFact, match="regular expression"):
        read(text)
