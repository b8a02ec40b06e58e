from __future__ import annotations

import os
import stat

import pytest

from expert_registry.errors import NoVaultKey, SealBroken
from expert_registry.privacy.vault import IDENTITY, PHONE, Vault
from expert_registry.roster.importing import RosterFacts, import_rows
from expert_registry.roster.pool import find
from expert_registry.roster.uploads import keep_upload, open_upload
from records.chain import verify_chain
from schemas.experts import PersonRow, expert_rules

NUMBER = "999999190001010009"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vault"


@pytest.fixture
def vault(folder):
    return Vault.open(folder, create=True)


def person(row: int, identity: str = NUMBER, phone: str = "13800000001") -> PersonRow:
    return PersonRow(row, "张样例", identity, "示例大学", "", "危废", "教授", phone, None, "")


def test_the_keys_are_for_their_owner_only(vault, folder):
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert {path.name for path in folder.iterdir()} == {"v1.key", "index.key", "current"}


@pytest.mark.parametrize("name", ["v1.key", "index.key", "current"])
def test_a_key_others_can_read_is_refused(vault, folder, name):
    (folder / name).chmod(0o640)
    with pytest.raises(NoVaultKey, match="chmod"):
        Vault.open(folder)


def test_an_open_key_folder_is_refused(vault, folder):
    folder.chmod(0o755)
    with pytest.raises(NoVaultKey, match="chmod"):
        Vault.open(folder)


@pytest.mark.parametrize("name", ["v1.key", "index.key", "current"])
def test_a_missing_or_damaged_key_is_told_and_never_made_anew(vault, folder, name):
    (folder / name).write_text("abc\n")
    with pytest.raises(NoVaultKey, match=name):
        Vault.open(folder, create=True)
    (folder / name).unlink()
    with pytest.raises(NoVaultKey, match=name):
        Vault.open(folder, create=True)


def test_there_is_no_vault_unless_it_is_made(folder):
    with pytest.raises(NoVaultKey):
        Vault.open(folder)


def test_what_is_sealed_opens_again_and_never_looks_the_same(vault, folder):
    sealed = [vault.seal("e-1", PHONE, "13800000001") for _ in range(3)]
    assert len(set(sealed)) == 3 and all(one.startswith("v1:") and "13800000001" not in one for one in sealed)
    assert {Vault.open(folder).open_("e-1", PHONE, one) for one in sealed} == {"13800000001"}
    assert vault.seal("e-1", PHONE, "") == "" == vault.open_("e-1", PHONE, "")


@pytest.mark.parametrize(("owner", "field"), [("e-2", PHONE), ("e-1", IDENTITY)])
def test_a_sealed_text_moved_elsewhere_does_not_open(vault, owner, field):
    with pytest.raises(SealBroken):
        vault.open_(owner, field, vault.seal("e-1", PHONE, "13800000001"))


def test_an_altered_text_does_not_open(vault):
    sealed = vault.seal("e-1", PHONE, "13800000001")
    for at in range(3, len(sealed)):
        other = "A" if sealed[at] != "A" else "B"
        with pytest.raises(SealBroken):
            vault.open_("e-1", PHONE, sealed[:at] + other + sealed[at + 1 :])
    for text in ("v1:", "v1:*", "13800000001", "v0:AAAA", sealed[:-2]):
        with pytest.raises(SealBroken):
            vault.open_("e-1", PHONE, text)
    with pytest.raises(NoVaultKey, match="v9"):
        vault.open_("e-1", PHONE, "v9" + sealed[2:])


def test_the_hash_of_a_number_is_keyed_and_blind_to_how_it_is_written(vault, tmp_path):
    assert vault.index(" 999999 19000101 000x") == vault.index("99999919000101000X") != vault.index(NUMBER)
    other = Vault.open(tmp_path / "other", create=True)
    assert other.index(NUMBER) != vault.index(NUMBER) and len(vault.index(NUMBER)) == 64
    assert vault.index("") == ""


def test_nothing_of_the_keys_is_in_the_words_of_a_vault(vault, folder):
    keys = [(folder / name).read_text().strip() for name in ("v1.key", "index.key")]
    assert not any(key in repr(vault) for key in keys)


@pytest.fixture
def filled(records, vault, now, tmp_path):
    """One expert and one kept list."""
    facts = RosterFacts(expert_rules(), "500109")
    report = import_rows(records, vault, [person(2)], "beibei", "op", now, facts)
    receipt = keep_upload(records, vault, tmp_path / "uploads", b"list", "beibei", "op", now)
    return report.experts[2], receipt.sha256


def test_rotation_seals_everything_with_the_new_key(records, vault, folder, now, filled, tmp_path):
    expert_id, sha256 = filled
    before = find(records, expert_id)
    assert vault.rotate(records, "op", now, tmp_path / "uploads") == 3
    after, fresh = find(records, expert_id), Vault.open(folder)
    assert (after.identity_sealed[:3], after.phone_sealed[:3], after.bank_sealed) == ("v2:", "v2:", "")
    assert fresh.open_(expert_id, PHONE, after.phone_sealed) == "13800000001"
    assert fresh.open_(expert_id, IDENTITY, before.identity_sealed) == NUMBER, "the old key stays for old backups"
    assert after.identity_index == before.identity_index == fresh.index(NUMBER)
    assert open_upload(fresh, tmp_path / "uploads", sha256) == b"list"
    assert fresh.reseal(records, "op", now, tmp_path / "uploads") == 0
    assert verify_chain(records).ok


def test_a_rotation_stopped_after_its_key_is_finished_later(records, vault, folder, now, filled, tmp_path):
    expert_id, _ = filled

    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    uploads = tmp_path / "uploads"
    vault.reseal = killed
    with pytest.raises(Killed):
        vault.rotate(records, "op", now, uploads)
    again = Vault.open(folder)
    assert again.open_(expert_id, PHONE, find(records, expert_id).phone_sealed) == "13800000001"
    assert again.reseal(records, "op", now, uploads) == 3
    assert find(records, expert_id).phone_sealed.startswith("v2:")


def test_a_broken_seal_stops_the_rotation_and_leaves_all_texts_as_they_were(records, vault, folder, now, filled):
    from records.experts import change_expert

    expert_id, _ = filled
    change_expert(records, expert_id, {"phone_sealed": vault.seal("e-other", PHONE, "1")}, by="op", at=now)
    before = find(records, expert_id)
    with pytest.raises(SealBroken):
        vault.rotate(records, "op", now)
    assert find(records, expert_id).identity_sealed == before.identity_sealed


def test_a_kept_list_is_sealed_and_its_receipt_is_on_the_chain(records, vault, now, tmp_path):
    data = f"姓名,证件号码\n张样例,{NUMBER}\n".encode()
    first = keep_upload(records, vault, tmp_path / "up", data, "beibei", "op", now)
    again = keep_upload(records, vault, tmp_path / "up", data, "beibei", "op", now)
    [path] = (tmp_path / "up").iterdir()
    assert NUMBER.encode() not in path.read_bytes() and stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert (first.repeated, again.repeated, first.sha256 == again.sha256) == (False, True, True)
    assert open_upload(vault, tmp_path / "up", first.sha256) == data
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(SealBroken):
        open_upload(vault, tmp_path / "up", first.sha256)
    from sqlalchemy import select

    from records.models import event

    with records.database.read() as connection:
        payloads = connection.execute(select(event.c.payload).where(event.c.kind == "expert-list")).scalars().all()
    assert len(payloads) == 2 and first.sha256 in payloads[0] and first.receipt in payloads[0]


def test_two_who_make_the_vault_at_once_have_the_same_keys(folder, monkeypatch):
    from expert_registry.privacy import vault as room

    makes = room._make

    def slower(place):
        makes(place)  # another process was here between the look and the making
        makes(place)

    monkeypatch.setattr(room, "_make", slower)
    first = Vault.open(folder, create=True)
    assert Vault.open(folder, create=True).index(NUMBER) == first.index(NUMBER)
    assert [path.name for path in folder.parent.iterdir()] == ["vault"]
