"""Settings of the night: defaults, what is refused, and where secrets may lie."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from portal.settings import WrongSetting, read_night_settings, read_secret, read_settings

HOME = Path("/srv/exchange")


def secrets_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "secrets.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_without_settings_the_night_begins_at_half_past_two_and_health_is_local():
    found = read_night_settings(HOME, {})
    assert (found.at, found.hour_minute) == (dt.time(2, 30), 20)
    assert (found.bind, found.metrics_token) == (("127.0.0.1", 8801), "")
    assert (found.backups, found.secrets) == (HOME / "backups", HOME / "secrets.toml")


def test_each_setting_is_taken_from_the_environment():
    env = {
        "GONGZHI_NIGHT": "23:05", "GONGZHI_HOUR_MINUTE": "0", "GONGZHI_BACKUPS": "/mnt/copies",
        "GONGZHI_BIND": "[::1]:9000", "GONGZHI_METRICS_TOKEN": "t", "GONGZHI_SECRETS": "/run/secrets.toml",
    }  # fmt: skip
    found = read_night_settings(HOME, env)
    assert (found.at, found.hour_minute, found.bind) == (dt.time(23, 5), 0, ("::1", 9000))
    assert (found.backups, found.metrics_token, found.secrets) == (Path("/mnt/copies"), "t", Path("/run/secrets.toml"))


def test_backups_and_health_can_be_switched_off():
    found = read_night_settings(HOME, {"GONGZHI_BACKUPS": "none", "GONGZHI_BIND": "none"})
    assert found.backups is None and found.bind is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("GONGZHI_NIGHT", "2:30"), ("GONGZHI_NIGHT", "24:00"), ("GONGZHI_NIGHT", "凌晨"), ("GONGZHI_HOUR_MINUTE", "60"),
        ("GONGZHI_HOUR_MINUTE", "-1"), ("GONGZHI_BIND", "8801"), ("GONGZHI_BIND", "localhost:99999"),
        ("GONGZHI_BIND", "::1:80"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_is_named_with_what_it_says(name, text):
    with pytest.raises(WrongSetting) as caught:
        read_night_settings(HOME, {name: text})
    assert caught.value.code == "wrong-setting"
    assert name in caught.value.message and text in caught.value.message and name in caught.value.message_en


def test_a_slip_in_the_settings_of_the_night_does_not_stop_other_commands():
    assert read_settings({"GONGZHI_NIGHT": "nonsense", "GONGZHI_LANG": "zh"}).language == "zh"


def test_the_environment_wins_over_the_secrets_file(tmp_path):
    file = secrets_file(tmp_path, '[beibei-air]\ntoken = "from the file"\n')
    assert read_secret("beibei-air", file, {}).token == "from the file"
    assert read_secret("beibei-air", file, {"GONGZHI_SECRET_BEIBEI_AIR": "given"}).token == "given"


def test_a_colon_separates_user_and_password_but_not_an_address(tmp_path):
    env = {"GONGZHI_SECRET_A": "user:pass:word", "GONGZHI_SECRET_B": "https://robot.example/send?key=k"}
    first, second = (read_secret(name, tmp_path / "none.toml", env) for name in ("a", "b"))
    assert (first.user, first.password, first.token) == ("user", "pass:word", "")
    assert second.token == "https://robot.example/send?key=k" and second.user == ""


def test_a_secret_nobody_gave_is_none(tmp_path):
    assert read_secret("nobody", tmp_path / "none.toml", {}) is None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secrets_file_that_others_may_read_is_refused(tmp_path, mode):
    file = secrets_file(tmp_path, '[a]\ntoken = "hidden"\n', mode)
    with pytest.raises(WrongSetting, match="chmod 600"):
        read_secret("a", file, {})


@pytest.mark.parametrize("text", ['a = "hidden"\n', "[a]\ntoken = 31337\n", '[a]\npasword = "hidden"\n', "[a]\n"])
def test_a_malformed_secrets_file_is_refused_without_repeating_what_it_says(tmp_path, text):
    with pytest.raises(WrongSetting) as caught:
        read_secret("a", secrets_file(tmp_path, text), {})
    assert "hidden" not in str(caught.value) and "31337" not in str(caught.value)


def test_a_secret_does_not_show_itself(tmp_path):
    file = secrets_file(tmp_path, '[a]\nuser = "u"\npassword = "hidden"\n')
    assert "hidden" not in repr(read_secret("a", file, {}))


def test_the_real_environment_is_read_when_asked(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "GONGZHI_SECRET_REAL", "token")
    assert read_secret("real", tmp_path / "none.toml").token == "token"
