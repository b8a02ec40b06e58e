from __future__ import annotations

from datetime import date

import pytest

from expert_registry.errors import UnknownWord
from expert_registry.people import Consent
from expert_registry.privacy.masks import consented, mask_bank, mask_identity, mask_name, mask_phone, opened, shown
from expert_registry.privacy.vault import Vault
from expert_registry.roster.importing import RosterFacts, import_rows
from expert_registry.roster.pool import find, load_one
from schemas.expert_views import ROLES
from schemas.experts import PersonRow, expert_rules
from schemas.personal import without_numbers

DAY = date(2026, 4, 1)
NUMBER, PHONE = "999999190001010009", "13800000001"


@pytest.mark.parametrize(
    "text", ["", "1", "12", "1234567", "12345678", "13800000001", "510700190001011234", "E1234567"]
)
@pytest.mark.parametrize("mask", [mask_name, mask_phone, mask_identity, mask_bank])
def test_a_mask_has_the_length_of_the_text_and_hides_most_of_it(mask, text):
    hidden = mask(text)
    assert len(hidden) == len(text)
    assert hidden.count("*") >= min(len(text), 4) or (mask is mask_name and len(text) < 5)


def test_the_masks_are_those_of_the_rule_book():
    assert (mask_name("张三"), mask_phone("13800005678")) == ("张*", "138****5678")
    assert mask_identity("510700190001011234") == "5107**********1234"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("电话13800001234", "电话138****1234"),
        ("１３８ ００００ １２３４", "138****1234"),
        ("证件 999999 19000101 0009", "证件 **************0009"),
        ("卡号6200-0000-0000-0000-123", "卡号***************0123"),
        ("2026年11月1日至2027年10月31日", "2026年11月1日至2027年10月31日"),
        ("代码91500109MA5U0A001F", "代码91500109MA5U0A001F"),
        ("文号 2026-0401", "文号 2026-0401"),
    ],
)
def test_numbers_inside_a_text_are_masked_and_dates_and_codes_are_not(text, clean):
    assert without_numbers(text) == clean


def test_a_consent_holds_from_its_day_until_the_day_it_is_revoked():
    consents = (Consent("publication", date(2026, 1, 2), date(2026, 4, 1), "同意书"),)
    assert not consented(consents, "publication", date(2026, 1, 1))
    assert consented(consents, "publication", date(2026, 1, 2))
    assert consented(consents, "publication", date(2026, 3, 31))
    assert not consented(consents, "publication", date(2026, 4, 1))
    assert not consented(consents, "sharing", date(2026, 2, 1))


@pytest.fixture
def somebody(records, tmp_path, now):
    vault = Vault.open(tmp_path / "vault", create=True)
    row = PersonRow(2, "张样例", NUMBER, "示例大学", "12500109MAYY002108", "危废", "教授", PHONE, None, "")
    report = import_rows(records, vault, [row], "beibei", "op", now, RosterFacts(expert_rules(), "500109"))
    return vault, load_one(records, report.experts[2]), find(records, report.experts[2])


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_its_fields_and_no_other(somebody, role):
    vault, expert, row = somebody
    seen = shown(expert, role, DAY, sealed=row, vault=vault)
    texts = " ".join(map(str, seen.values()))
    assert (NUMBER in texts) == (role == "auditor")
    assert (PHONE in texts) == (role in ("organiser", "auditor"))
    assert ("张样例" in texts) == (role in ("organiser", "finance", "auditor", "pool_staff"))
    assert (expert.expert_id in texts) == (role not in ("public", "peer_before"))


def test_before_acceptance_the_peer_sees_a_kind_of_employer_and_no_person(somebody):
    _, expert, _ = somebody
    assert shown(expert, "peer_before", DAY) == {
        "bureau": "beibei", "employer_type": "institution", "title_rank": "senior", "specialties": ["H01"],
        "division": "500109", "state": "applied",
    }  # fmt: skip


def test_the_public_sees_who_agreed_to_be_published(somebody):
    from dataclasses import replace

    _, expert, _ = somebody
    assert shown(expert, "public", DAY) == {}
    agreed = replace(expert, consents=(Consent("publication", DAY, None, "同意书"),))
    assert shown(agreed, "public", DAY)["name"] == "张样例"


def test_pool_staff_see_masks_and_only_auditors_open_what_is_sealed(somebody):
    vault, expert, row = somebody
    staff = shown(expert, "pool_staff", DAY, sealed=row, vault=vault)
    assert (staff["phone"], staff["identity"]) == ("138****0001", "9999**********0009")
    assert opened(staff, "pool_staff") == []
    assert opened(shown(expert, "auditor", DAY, sealed=row, vault=vault), "auditor") == ["bank", "identity", "phone"]
    assert "bank" not in shown(expert, "finance", DAY, sealed=row, vault=vault), "without consent to keep it"


def test_without_the_vault_everything_sealed_is_a_mask(somebody):
    _, expert, _ = somebody
    seen = shown(expert, "auditor", DAY)
    assert (seen["phone"], seen["identity"], "bank" in seen) == ("138****0001", "9999**********0009", False)


def test_a_role_nobody_has_is_refused(somebody):
    with pytest.raises(UnknownWord, match="visitor"):
        shown(somebody[1], "visitor", DAY)
