"""Messages about alarms against real servers: a mail server with STARTTLS and passwords, robots that answer oddly."""

from __future__ import annotations

import base64
import email
import hashlib
import hmac
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from pipelines.intake.fetch import Secret
from portal.channels import LOG, Channel, read_channels
from portal.notify import DINGTALK_BYTES, WECOM_BYTES, deliver, sign_dingtalk, write_letter
from records.alarms import Notice, Trouble, outbox, tell

NOW = datetime(2026, 4, 7, 22, 40, tzinfo=UTC)
MISSING = Trouble(
    "missing", "mianyang/air", "mianyang", "error", "绵阳空气小时值 2026-04-06 未收到", "the hourly air of 2026-04-06 has not come"
)  # fmt: skip
LATE = Trouble("late", "beibei/water", "beibei", "warning", "北碚水质月报迟到", "the monthly water results came late")
LOCAL = ("127.0.0.0/8", "::1/128")
KEY = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"


def no_secrets(name: str) -> None:
    return None


# -- servers --------------------------------------------------------------------------------------------------


@dataclass
class Robot:
    """A robot's server: what it was told, and what it answers next."""

    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int = 200
    answer: bytes = b'{"errcode":0,"errmsg":"ok"}'
    wait: float = 0.0


@pytest.fixture
def robot() -> Iterator[Robot]:
    made, gone = Robot(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.asked.append((self.path, json.loads(body)))
            gone.wait(made.wait)
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(made.answer)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(made.answer)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A caller may have gone."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    made.url = f"http://localhost:{server.server_port}/cgi-bin/webhook/send?key={KEY}"
    yield made
    gone.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Mailbox:
    """A mail server that takes mail only over STARTTLS and from one user."""

    port: int
    ca: Path
    came: list[Any] = field(default_factory=list)

    def channel(self, **more: Any) -> Channel:
        told: dict[str, Any] = {
            "name": "duty", "kind": "smtp", "host": "localhost", "port": self.port, "sender": "gongzhi@example.cn",
            "to": ("duty@example.cn", "chief@example.cn"), "credentials": "mail", "ca": self.ca,
        }  # fmt: skip
        return Channel(**(told | more))


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    made = Mailbox(0, tmp_path / "ca.pem")

    class Keep:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            made.came.append(envelope)
            return "250 taken"

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"gongzhi", b"s3cret")
        return AuthResult(success=known, handled=True if known else False)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        made.port = probe.getsockname()[1]
    controller = Controller(
        Keep(), hostname="127.0.0.1", port=made.port, tls_context=context, require_starttls=True, auth_required=True,
        authenticator=check,
    )  # fmt: skip
    controller.start()
    yield made
    controller.stop()


def secrets(robot: Robot | None = None, **more: Secret) -> Callable[[str], Secret | None]:
    known = {"mail": Secret(user="gongzhi", password="s3cret"), "sign": Secret(token="SECabc"), **more}
    if robot is not None:
        known["robot"] = Secret(token=robot.url)
    return known.get


def robot_channel(kind: str, **more: Any) -> Channel:
    return Channel("group", kind, credentials="robot", networks=LOCAL, **more)


def notice(*troubles: Trouble, kind: str = "opened", count: int = 1) -> Notice:
    alarms = [
        {
            "alarm_id": n, "code": t.code, "source": t.source, "bureau": t.bureau, "severity": t.severity,
            "opened_at": "2026-04-06T22:05:00+00:00", "last_at": "2026-04-07T22:05:00+00:00", "count": count,
            "closed_at": "2026-04-07T23:00:00+00:00" if kind == "recovered" else None, "message": t.message,
            "message_en": t.message_en, "detail": {},
        }
        for n, t in enumerate(troubles)
    ]  # fmt: skip
    return Notice("n-0123456789abcdef", "group", kind, NOW, alarms, 0, NOW, None, "")


# -- what is said ---------------------------------------------------------------------------------------------


def test_a_letter_says_what_where_since_when_and_what_to_do():
    letter = write_letter(notice(MISSING, count=3), LOG)
    text = letter.text(100_000)
    for word in (
        "应到未到", "（missing）", "mianyang/air", MISSING.message, MISSING.message_en, "自 2026-04-07 06:05 起，第 3 次",
        "gongzhi sync --since", "n-0123456789abcdef",
    ):  # fmt: skip
        assert word in text
    assert letter.title == "共治告警：新增 1 条 / 1 new alarms"


def test_a_recovery_says_when_it_was_over_and_asks_nothing():
    text = write_letter(notice(MISSING, kind="recovered"), LOG).text(100_000)
    assert "共治恢复" in text and "已于 2026-04-08 07:00 解除" in text and "处置" not in text


def test_what_is_given_up_is_no_recovery_and_says_whom_to_ask():
    given = notice(MISSING, kind="given-up")
    given.alarms[0]["detail"] = {"given_up": ["2026-04-01", "2026-04-02"]}
    letter = write_letter(given, LOG)
    text = letter.text(100_000)
    assert "共治缺报" in letter.title and "恢复" not in text and "解除" not in text
    assert "未到，已转入缺报：2026-04-01、2026-04-02" in text and "ask the sender" in text


def test_a_long_letter_is_cut_between_alarms_and_keeps_its_number():
    letter = write_letter(notice(*[MISSING] * 100), LOG)
    text = letter.text(WECOM_BYTES)
    assert len(text.encode()) <= WECOM_BYTES
    shown = text.count("【错误】")
    assert 5 <= shown < 100 and f"另有 {100 - shown} 条" in text and text.rstrip("）").endswith("same number")
    assert "n-0123456789abcdef" in text


def test_a_file_name_of_a_sender_becomes_neither_link_nor_call():
    bad = Trouble(
        "refused", "mianyang/air", "mianyang", "error", "文件 [点我](http://evil) <@all>\n\x1b[2J`x`", "<@all>"
    )
    text = write_letter(notice(bad), LOG).text(100_000)
    assert "<@" not in text and "[点我]" not in text and "\x1b" not in text and "`" not in text


def test_a_channel_hears_of_its_bureau_and_its_severity_only():
    own = Channel("m", "log", bureaus=("mianyang",))
    ours = Trouble("night-missed", "", "", "error", "没有运行", "did not run")
    assert [a["code"] for a in write_letter(notice(MISSING, LATE, ours), own).alarms] == ["missing", "night-missed"]
    assert [a["code"] for a in write_letter(notice(MISSING, LATE), Channel("e", "log", least="error")).alarms] == [
        "missing"
    ]
    assert write_letter(notice(LATE), own) is None


# -- declared channels ----------------------------------------------------------------------------------------


def test_without_a_file_there_is_the_log(tmp_path):
    assert read_channels(tmp_path / "notify.toml") == ((LOG,), ())


def test_channels_are_read_and_a_malformed_one_is_given_back_with_its_line(tmp_path):
    file = tmp_path / "notify.toml"
    file.write_text(
        '[[channels]]\nname = "duty"\nkind = "smtp"\nhost = "mail"\nfrom = "a@b"\nto = ["c@d"]\nca = "ca.pem"\n\n'
        '[[channels]]\nname = "group"\nkind = "wecom"\nurl = "https://x/?key=hidden"\ncredentials = "r"\n\n'
        '[[channels]]\nname = "duty"\nkind = "log"\n\n[[channels]]\nname = "n"\nkind = "wecom"\n\n'
        '[[channels]]\nname = "p"\nkind = "smtp"\nhost = "h"\nfrom = "a"\nto = ["b"]\ntls = "none"\ncredentials = "x"\n\n'
        '[[channels]]\nname = "m"\nkind = "webhook"\ncredentials = "w"\nnetworks = ["8.8.8.0/24"]\n',
        encoding="utf-8",
    )
    found, faults = read_channels(file)
    assert [one.name for one in found] == ["log", "duty"]
    assert found[1] == Channel(
        "duty", "smtp", host="mail", port=587, sender="a@b", to=("c@d",), ca=tmp_path / "ca.pem"
    )  # fmt: skip
    assert [(fault.line, fault.reason.split(";")[0].split(":")[0]) for fault in faults] == [
        (12, "a secret does not stand here"),
        (16, "this name stands twice"),
        (19, "'credentials' is missing"),
        (29, "a password is not sent in the clear"),
        (36, "network '8.8.8.0/24' is not private"),
    ]
    assert "hidden" not in str(faults)


@pytest.mark.parametrize(
    "text", ['channels = "x"\n', "[channels]\n", "channels = [1]\n", "[[channels]\n", '[[canals]]\na = "b"\n']
)
def test_a_file_of_channels_that_cannot_be_read_is_a_fault_and_leaves_the_log(tmp_path, text):
    file = tmp_path / "notify.toml"
    file.write_text(text, encoding="utf-8")
    found, faults = read_channels(file)
    assert found == (LOG,) and len(faults) == 1


# -- each kind against a server -------------------------------------------------------------------------------


def test_mail_goes_over_starttls_with_a_password_and_carries_the_number(records, mailbox):
    tell(records, [MISSING, LATE], (), NOW, ["duty"])
    (sent,) = deliver(records, [mailbox.channel()], NOW, secrets())
    assert sent.error == ""
    (envelope,) = mailbox.came
    message = email.message_from_bytes(envelope.content, policy=default)
    assert envelope.rcpt_tos == ["duty@example.cn", "chief@example.cn"]
    assert message["Subject"] == "共治告警：新增 2 条 / 2 new alarms"
    assert message["Message-ID"] == f"<{sent.event_id}@example.cn>" and message["Auto-Submitted"] == "auto-generated"
    body = message.get_content()
    assert MISSING.message in body and LATE.message in body and sent.event_id in body
    assert outbox(records, NOW + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"ca": None}, "certificate"),
        ({"tls": "none", "credentials": ""}, "STARTTLS"),
        ({"credentials": "wrong"}, "535"),
        ({"port": 1}, "refused"),
        ({"credentials": "nowhere"}, "nowhere"),
    ],
)
def test_mail_that_cannot_go_stays_in_the_outbox_and_says_why(records, mailbox, more, said):
    tell(records, [MISSING], (), NOW, ["duty"])
    wrong = secrets(wrong=Secret(user="gongzhi", password="guessed"))
    (sent,) = deliver(records, [mailbox.channel(**more)], NOW, wrong)
    assert said.lower() in sent.error.lower() and "guessed" not in sent.error
    assert not mailbox.came
    (waiting,) = outbox(records, NOW + timedelta(minutes=1))
    assert (waiting.attempts, waiting.last_error) == (1, sent.error)


def test_wecom_gets_markdown_within_its_size(records, robot):
    tell(records, [MISSING] + [Trouble("stale", f"mianyang/s{n}", "mianyang", "error", "旧" * 60, "old") for n in range(60)],
         (), NOW, ["group"])  # fmt: skip
    (sent,) = deliver(records, [robot_channel("wecom")], NOW, secrets(robot))
    assert sent.error == ""
    ((path, told),) = robot.asked
    assert KEY in path and told["msgtype"] == "markdown"
    content = told["markdown"]["content"]
    assert MISSING.message in content and 2000 < len(content.encode()) <= WECOM_BYTES


def test_dingtalk_gets_markdown_and_a_signature_over_time_and_secret(records, robot):
    tell(records, [MISSING], (), NOW, ["group"])
    (sent,) = deliver(records, [robot_channel("dingtalk", sign="sign")], NOW, secrets(robot))
    assert sent.error == ""
    ((path, told),) = robot.asked
    asked = parse_qs(urlsplit(path).query)
    stamp = str(int(NOW.timestamp() * 1000))
    expected = hmac.new(b"SECabc", f"{stamp}\nSECabc".encode(), hashlib.sha256).digest()
    assert asked["timestamp"] == [stamp] and base64.b64decode(asked["sign"][0]) == expected and asked["key"] == [KEY]
    assert told["msgtype"] == "markdown" and told["markdown"]["title"].startswith("共治告警")
    assert len(told["markdown"]["text"].encode()) <= DINGTALK_BYTES


def test_the_signature_is_the_one_of_a_known_pair():
    """Reckoned with openssl: printf '1775601600000\\nSEC1' | openssl dgst -sha256 -hmac SEC1 -binary | base64."""
    assert sign_dingtalk("SEC1", datetime.fromtimestamp(1775601600, UTC)) == (
        "timestamp=1775601600000&sign=8ZoseEumHXYpDssBHXq2D%2BsN1qG6uB4dkQAkV%2FDa7bA%3D"
    )  # fmt: skip


def test_a_webhook_gets_the_alarms_as_data(records, robot):
    tell(records, [MISSING], (), NOW, ["group"])
    robot.answer, robot.status = b"", 202
    (sent,) = deliver(records, [robot_channel("webhook")], NOW, secrets(robot))
    assert sent.error == ""
    ((_, told),) = robot.asked
    assert (told["event_id"], told["kind"]) == (sent.event_id, "opened")
    assert told["alarms"][0]["code"] == "missing" and told["alarms"][0]["source"] == "mianyang/air"


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (200, b'{"errcode":93000,"errmsg":"invalid webhook url"}', "93000 invalid webhook url"),
        (200, b'{"errcode":"0"}', "0"),
        (200, b"<html>login</html>", "errcode"),
        (500, b'{"errcode":0}', "500"),
        (302, b"", "302"),
    ],
)
def test_a_robot_that_does_not_say_nought_has_not_taken_it(records, robot, status, answer, said):
    robot.status, robot.answer = status, answer
    tell(records, [MISSING], (), NOW, ["group"])
    (sent,) = deliver(records, [robot_channel("wecom")], NOW, secrets(robot))
    assert said in sent.error
    (waiting,) = outbox(records, NOW + timedelta(minutes=1))
    assert waiting.attempts == 1 and KEY not in waiting.last_error


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:1/send?key={}", "https://elsewhere.invalid/send?key={}", "ftp://localhost/{}",
        "https://8.8.8.8/{}", "https://[::1/{}", "https://user:{}@localhost/", "https://localhost/ {}", "{}",
    ],
)  # fmt: skip
def test_the_key_of_a_robot_is_never_said(records, address, caplog):
    tell(records, [MISSING], (), NOW, ["group"])
    with caplog.at_level(logging.DEBUG):
        secret = Secret(token=address.format(KEY))
        (sent,) = deliver(records, [robot_channel("wecom")], NOW, {"robot": secret}.get)
    assert sent.error and KEY not in sent.error and KEY not in caplog.text


# -- the outbox -----------------------------------------------------------------------------------------------


def test_a_channel_that_hangs_does_not_hold_up_another(records, robot, mailbox):
    robot.wait = 30.0
    tell(records, [MISSING], (), NOW, ["group", "duty", "log"])
    began = time.monotonic()
    sent = {
        one.channel: one.error
        for one in deliver(records, [robot_channel("wecom"), mailbox.channel(), LOG], NOW, secrets(robot), deadline=2.0)
    }
    assert time.monotonic() - began < 4.0
    assert sent["duty"] == sent["log"] == "" and "2 s" in sent["group"]
    assert len(mailbox.came) == 1
    assert [one.channel for one in outbox(records, NOW + timedelta(minutes=1))] == ["group"]


def test_what_failed_comes_again_with_the_same_number_and_only_there(records, robot, mailbox):
    robot.status = 500
    tell(records, [MISSING], (), NOW, ["group", "duty"])
    channels = [robot_channel("wecom"), mailbox.channel()]
    first = deliver(records, channels, NOW, secrets(robot))
    assert deliver(records, channels, NOW + timedelta(seconds=10), secrets(robot)) == []
    robot.status = 200
    (again,) = deliver(records, channels, NOW + timedelta(minutes=2), secrets(robot))
    assert (again.channel, again.error) == ("group", "") and {one.event_id for one in first} == {again.event_id}
    assert len(robot.asked) == 2 and len(mailbox.came) == 1


def test_a_recovery_is_told(records, robot):
    tell(records, [MISSING], (), NOW, ["group"])
    deliver(records, [robot_channel("wecom")], NOW, secrets(robot))
    tell(records, [], {"mianyang/air"}, NOW + timedelta(hours=1), ["group"])
    deliver(records, [robot_channel("wecom")], NOW + timedelta(hours=1), secrets(robot))
    texts = [told["markdown"]["content"] for _, told in robot.asked]
    assert "共治告警" in texts[0] and "共治恢复" in texts[1] and "已于 2026-04-08 07:40 解除" in texts[1]


def test_the_log_is_told_in_full(records, caplog):
    tell(records, [MISSING], (), NOW, ["log"])
    with caplog.at_level(logging.INFO, "gongzhi.notify"):
        deliver(records, [LOG], NOW, no_secrets)
    assert MISSING.message in caplog.text


def test_a_channel_that_is_no_longer_declared_is_an_error_not_a_silence(records, caplog):
    tell(records, [MISSING], (), NOW, ["group"])
    (sent,) = deliver(records, [LOG], NOW, no_secrets)
    assert "notify.toml" in sent.error and "group" in caplog.text


def test_what_concerns_nobody_of_a_channel_is_done_without_a_message(records, robot):
    tell(records, [LATE], (), NOW, ["group"])
    (sent,) = deliver(records, [robot_channel("wecom", least="error")], NOW, secrets(robot))
    assert sent.error == "" and robot.asked == []
    assert outbox(records, NOW + timedelta(days=1)) == []
