"""Daily seals, checkpoints, old keys, SM2 by an external command, keys on disk."""

import shutil
import subprocess
from datetime import date, timedelta

import pytest
from sqlalchemy import text

from records.chain import verify_chain
from records.errors import KeyTrouble
from records.keys import CommandSigner, CommandVerifier, KeyRing, check_signature, sign_document
from records.seals import check_seals, checkpoint, seal_day, seals

FIRST = date(2026, 4, 1)
DAY = timedelta(days=1)


def test_a_seal_names_the_last_event_of_its_day(records, signer, now):
    for hours in (0, 5, 15, 17):  # 08:00, 13:00, 23:00 and, in China, 01:00 of the next day
        records.append("looked-up", now + timedelta(hours=hours))
    made = seal_day(records, FIRST, now + DAY, signer)
    event = records.events(after=2, limit=1)[0]
    assert (made.seq, made.document["sha256"], made.document["sm3"]) == (3, event.sha256, event.sm3)
    assert seal_day(records, FIRST + DAY, now + 2 * DAY, signer).seq == 4
    assert [seal.number for seal in seals(records)] == [1, 2]


def test_a_day_sealed_twice_has_one_seal(records, signer, now):
    records.append("looked-up", now)
    first = seal_day(records, FIRST, now + DAY, signer)
    assert seal_day(records, FIRST, now + 2 * DAY, signer) == first
    assert checkpoint(records) == first.document


def test_a_day_without_events_is_sealed_too(records, signer, now):
    assert seal_day(records, FIRST, now, signer).seq == 0
    assert checkpoint(records)["sha256"] == "0" * 64
    assert verify_chain(records).ok


def test_there_is_no_checkpoint_before_the_first_seal(records):
    assert checkpoint(records) is None


def test_seals_of_an_old_key_still_verify(records, ring, now):
    records.append("looked-up", now)
    seal_day(records, FIRST, now + DAY, ring.current())
    new = ring.rotate()
    records.append("looked-up", now + DAY)
    seal_day(records, FIRST + DAY, now + 2 * DAY, new)
    assert len({seal.document["key_id"] for seal in seals(records)}) == 2
    report = verify_chain(records, ring.public_keys())
    assert report.ok and report.seals == 2


def test_a_seal_of_a_stranger_is_refused(records, signer, now, tmp_path):
    stranger = KeyRing.open(tmp_path / "other", create=True)
    records.append("looked-up", now)
    seal_day(records, FIRST, now + DAY, stranger.current())
    assert verify_chain(records).ok
    report = verify_chain(records, {signer.key_id: signer.public_key})
    assert not report.ok and stranger.current().key_id in report.reason_en


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE seal SET document = replace(document, '2026-04-01', '2026-04-02') WHERE number = 1",
        "UPDATE seal SET day = '2026-04-09' WHERE number = 1",
        "UPDATE seal SET seq = 1 WHERE number = 2",
        "DELETE FROM seal WHERE number = 1",
    ],
)
def test_an_altered_or_missing_seal_is_noticed(records, signer, now, statement):
    for days in range(3):
        records.append("looked-up", now + days * DAY)
        seal_day(records, FIRST + days * DAY, now + (days + 1) * DAY, signer)
    assert check_seals(records).bad is None
    with records.database.write() as connection:
        assert connection.execute(text(statement)).rowcount == 1
    assert check_seals(records).bad is not None
    assert not verify_chain(records).ok


def test_private_keys_are_for_their_owner_only(ring):
    private = [path for path in ring.folder.iterdir() if path.suffix == ".pem"]
    assert [path.stat().st_mode & 0o777 for path in private] == [0o600]
    private[0].chmod(0o644)
    with pytest.raises(KeyTrouble, match="chmod"):
        ring.current()


def test_a_folder_without_keys_is_refused_and_not_filled(tmp_path):
    with pytest.raises(KeyTrouble, match="gongzhi init"):
        KeyRing.open(tmp_path / "keys")
    assert not (tmp_path / "keys").exists()


def test_a_damaged_or_missing_key_is_named(ring):
    path = next(ring.folder.glob("*.pem"))
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(KeyTrouble, match=path.name):
        ring.current()
    path.unlink()
    with pytest.raises(KeyTrouble, match=path.name):
        ring.current()


def test_opening_the_keys_again_keeps_them(ring):
    again = KeyRing.open(ring.folder, create=True)
    assert again.current().key_id == ring.current().key_id
    assert len(again.public_keys()) == 1


@pytest.fixture
def sm2(tmp_path):
    """An SM2 key held by the openssl command."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command")
    private, public = tmp_path / "sm2.pem", tmp_path / "sm2.pub"
    made = subprocess.run([openssl, "genpkey", "-algorithm", "SM2", "-out", private], capture_output=True)
    if made.returncode:
        pytest.skip("this openssl has no SM2")
    subprocess.run([openssl, "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    raw = ["-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678", "-in", "/dev/stdin"]
    signer = CommandSigner([openssl, "pkeyutl", "-sign", "-inkey", str(private), *raw], public.read_text())
    verify = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", "{public}", "-sigfile", "{signature}", *raw]
    return signer, {"SM2": CommandVerifier(verify)}


def test_sm2_signs_and_verifies_by_a_command(sm2):
    signer, verifiers = sm2
    document = sign_document({"day": "2026-04-01"}, signer)
    assert document["algorithm"] == "SM2"
    assert check_signature(document, {signer.key_id: signer.public_key}, verifiers).valid
    assert not check_signature({**document, "day": "2026-04-02"}, None, verifiers).valid
    assert "SM2" in check_signature(document).reason_en


def test_a_signing_command_that_fails_says_why(sm2):
    signer, _ = sm2
    with pytest.raises(KeyTrouble, match="failed"):
        CommandSigner([*signer.command, "-nonsense"], signer.public_key).sign(b"x")
    with pytest.raises(KeyTrouble, match="did not run"):
        CommandSigner(["no-such-program-anywhere"], signer.public_key).sign(b"x")
