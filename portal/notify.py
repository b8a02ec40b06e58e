"""Tell people of alarms: log, e-mail, robots of WeCom and DingTalk, any webhook.

The alarms lie in the outbox of the records; what cannot be delivered now stays there and is tried again, so a message
may come twice: it always carries the same event number. Each channel works in a thread of its own, so that one that
fails or hangs does not hold up another. Formats: WeCom group robot (``markdown`` ≤ 4096 bytes) and DingTalk custom robot
(``markdown`` ≤ 20000 bytes, signed by HMAC-SHA256 over time and secret); both answer 200 with an ``errcode``, and only 0
is a success.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import queue
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from pipelines.errors import FetchError, RoadError
from portal.channels import LEAST, Channel
from schemas.alarms import alarm_kinds

if TYPE_CHECKING:
    from pipelines.intake.fetch import Secret
    from records.alarms import Notice
    from records.store import Records

CHINA = timezone(timedelta(hours=8))
SECONDS = 15.0
DEADLINE = 60.0
"""Seconds one round may take; what is not through then stays in the outbox."""
WECOM_BYTES, DINGTALK_BYTES, MAIL_BYTES = 4096, 20_000, 200_000
LEVELS = {"warning": "警告", "error": "错误"}
HEADINGS = {
    "opened": ("共治告警：新增 {} 条", "{} new alarms"),
    "reminder": ("共治提醒：{} 条告警仍未解除", "{} alarms still open"),
    "recovered": ("共治恢复：{} 条告警已解除", "{} alarms gone"),
    "given-up": ("共治缺报：{} 条告警到期，数据始终未到，已转入缺报", "{} alarms given up: the data never came"),
}
_ACTIVE = str.maketrans("[]<>`", "［］＜＞｀")
"""A sender's file name must not become a link or a call to everybody."""

log = logging.getLogger("gongzhi.notify")
Secrets = Callable[[str], "Secret | None"]


class NotDelivered(RoadError):
    """A message did not reach its channel; it stays in the outbox."""

    def __init__(self, message: str, message_en: str) -> None:
        super().__init__("not-delivered", message, message_en)


@dataclass(frozen=True, slots=True)
class Letter:
    """What one channel is told by one notice."""

    event_id: str
    kind: str
    title: str
    parts: tuple[str, ...]
    """One text for each alarm."""
    alarms: tuple[dict[str, Any], ...]

    def text(self, most: int) -> str:
        """Join the parts, whole alarms only, into at most so many bytes of UTF-8."""
        foot = f"\n\n事件号 {self.event_id}（重复收到时以此为准 / same event, same number）"
        left = most - len(f"{self.title}{foot}".encode()) - 80
        shown: list[str] = []
        for part in self.parts:
            left -= len(part.encode()) + 2
            if left < 0:
                break
            shown.append(part)
        if rest := len(self.parts) - len(shown):
            shown.append(f"另有 {rest} 条，见 gongzhi alarms / {rest} more")
        return "\n\n".join([self.title, *shown]) + foot


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one notice; ``error`` is empty where it was delivered."""

    event_id: str
    channel: str
    error: str = ""


def deliver(
    records: Records, channels: Iterable[Channel], now: datetime, secrets: Secrets, deadline: float = DEADLINE
) -> list[Sent]:
    """Walk the outbox once: send what is due, mark what was delivered and what was not."""
    from records.alarms import delivered, not_delivered, outbox

    known = {channel.name: channel for channel in channels}
    due: dict[str, list[Notice]] = {}
    for notice in outbox(records, now):
        due.setdefault(notice.channel, []).append(notice)
    sent = [
        Sent(notice.event_id, name, "渠道已不在 notify.toml 中 / the channel is no longer declared")
        for name, notices in due.items()
        if name not in known
        for notice in notices
    ]
    sent += _send_all(
        [(known[name], notices) for name, notices in due.items() if name in known], now, secrets, deadline
    )
    for one in sent:
        if one.error:
            log.error("通知未送达 / not delivered: %s %s: %s", one.channel, one.event_id, one.error)
            not_delivered(records, one.event_id, one.channel, now, one.error)
        else:
            delivered(records, one.event_id, one.channel, now)
    return sent


def _send_all(
    due: Sequence[tuple[Channel, list[Notice]]], now: datetime, secrets: Secrets, deadline: float
) -> list[Sent]:
    """Send on all channels at once; the threads are daemons, so that a hanging server cannot hold the process."""
    done: queue.SimpleQueue[Sent | str] = queue.SimpleQueue()
    begun: dict[str, str] = {}

    def walk(channel: Channel, notices: list[Notice]) -> None:
        for notice in notices:
            begun[channel.name] = notice.event_id
            done.put(Sent(notice.event_id, channel.name, _send(channel, notice, now, secrets)))
        done.put(channel.name)

    for channel, notices in due:
        threading.Thread(target=walk, args=(channel, notices), daemon=True, name=f"notify-{channel.name}").start()
    waiting, end = {channel.name for channel, _ in due}, time.monotonic() + deadline
    sent: list[Sent] = []
    while waiting:
        try:
            told = done.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(told, Sent):
            sent.append(told)
        else:
            waiting.discard(told)
    through = {(one.event_id, one.channel) for one in sent}
    slow = f"{deadline:g} 秒内未完成 / not done within {deadline:g} s"
    return sent + [Sent(begun[n], n, slow) for n in sorted(waiting) if n in begun and (begun[n], n) not in through]


def _send(channel: Channel, notice: Notice, now: datetime, secrets: Secrets) -> str:
    """Send one notice; give what went wrong, or nothing."""
    letter = write_letter(notice, channel)
    if letter is None:
        return ""
    try:
        SENDERS[channel.kind](channel, letter, now, secrets)
    except RoadError as error:
        return f"{error.message} / {error.message_en}"
    except (OSError, smtplib.SMTPException) as error:
        return f"{channel.host}：{type(error).__name__} {error}"
    except Exception as error:  # a bug of ours must not lose the message, nor say the secrets it met
        log.exception("通知渠道出错 / a channel broke: %s", channel.name)
        return f"程序内部错误 / an error of ours: {type(error).__name__}"
    return ""


def write_letter(notice: Notice, channel: Channel) -> Letter | None:
    """Write what a channel is to be told; None where none of the alarms concerns it."""
    alarms = tuple(alarm for alarm in notice.alarms if _concerns(channel, alarm))
    if not alarms:
        return None
    zh, en = HEADINGS[notice.kind]
    title = f"{zh.format(len(alarms))} / {en.format(len(alarms))}"
    parts = tuple(_describe(alarm, notice.kind) for alarm in alarms)
    return Letter(notice.event_id, notice.kind, title, parts, alarms)


def _concerns(channel: Channel, alarm: dict[str, Any]) -> bool:
    fits = not channel.bureaus or not alarm["bureau"] or alarm["bureau"] in channel.bureaus
    return fits and LEAST.index(alarm["severity"]) >= LEAST.index(channel.least)


def _describe(alarm: dict[str, Any], kind: str) -> str:
    """Say what, where, since when and what to do."""
    known = alarm_kinds().get(alarm["code"])
    title = f"{known.title_zh} / {known.title_en}" if known else alarm["code"]
    where = alarm["source"] or "交换平台 / the exchange"
    lines = [
        f"【{LEVELS[alarm['severity']]}】{title}（{alarm['code']}）",
        f"来源：{where}",
        _plain(alarm["message"]),
        _plain(alarm["message_en"]),
        f"自 {china(alarm['opened_at'])} 起" + (f"，第 {alarm['count']} 次" if alarm["count"] > 1 else ""),
    ]
    if kind == "recovered":
        lines.append(f"已于 {china(alarm['closed_at'])} 解除" if alarm.get("closed_at") else "已解除")
    elif kind == "given-up":
        periods = "、".join(alarm["detail"]["given_up"])
        lines.append(f"未到，已转入缺报：{periods}；看板上仍为缺报，请向报送单位催要")
        lines.append(f"never came, not told any more: {periods}; the board keeps the gap, ask the sender")
    elif known:
        lines.append(f"处置：{known.remedy_zh}")
        lines.append(known.remedy_en)
    return "\n".join(line for line in lines if line)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).translate(_ACTIVE)


def china(moment: datetime | str | None) -> str:
    """Write an instant as China time."""
    if moment is None:
        return ""
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return read.astimezone(CHINA).strftime("%Y-%m-%d %H:%M")


def _log(channel: Channel, letter: Letter, now: datetime, secrets: Secrets) -> None:
    level = logging.INFO if letter.kind == "recovered" else logging.WARNING
    log.log(level, "%s", letter.text(MAIL_BYTES))


def _mail(channel: Channel, letter: Letter, now: datetime, secrets: Secrets) -> None:
    message = EmailMessage()
    message["Subject"] = letter.title
    message["From"], message["To"] = channel.sender, ", ".join(channel.to)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{letter.event_id}@{channel.sender.rpartition('@')[2].rstrip('>') or 'gongzhi'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text(MAIL_BYTES), charset="utf-8")
    context = ssl.create_default_context(cafile=str(channel.ca) if channel.ca else None)
    secret = _secret(channel.credentials, secrets) if channel.credentials else None
    with _connect(channel, context) as server:
        if channel.tls == "starttls":
            server.starttls(context=context)
        if secret is not None:
            server.login(secret.user, secret.password)
        refused = server.send_message(message)
    if refused:  # the others have it: sending again would tell them twice
        log.error("邮件服务器拒收 / the mail server refused: %s", ", ".join(refused))


def _connect(channel: Channel, context: ssl.SSLContext) -> smtplib.SMTP:
    if channel.tls == "tls":
        return smtplib.SMTP_SSL(channel.host, channel.port, timeout=SECONDS, context=context)
    return smtplib.SMTP(channel.host, channel.port, timeout=SECONDS)


def _wecom(channel: Channel, letter: Letter, now: datetime, secrets: Secrets) -> None:
    payload = {"msgtype": "markdown", "markdown": {"content": letter.text(WECOM_BYTES)}}
    _robot(channel, _address(channel, secrets), payload)


def _dingtalk(channel: Channel, letter: Letter, now: datetime, secrets: Secrets) -> None:
    url = _address(channel, secrets)
    if channel.sign:
        url += ("&" if "?" in url else "?") + sign_dingtalk(_secret(channel.sign, secrets).token, now)
    text = letter.text(DINGTALK_BYTES).replace("\n", "\n\n")  # its markdown joins single lines
    while len(text.encode()) > DINGTALK_BYTES:
        text = text[: -max(1, (len(text.encode()) - DINGTALK_BYTES) // 3)]
    _robot(channel, url, {"msgtype": "markdown", "markdown": {"title": letter.title, "text": text}})


def sign_dingtalk(secret: str, now: datetime) -> str:
    """Sign as DingTalk documents it: HMAC-SHA256 over milliseconds, a line break and the secret, in base64."""
    stamp = str(round(now.timestamp() * 1000))
    made = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return f"timestamp={stamp}&sign={quote(base64.b64encode(made), safe='')}"


def _robot(channel: Channel, url: str, payload: dict[str, Any]) -> None:
    """Post to a robot; it says 200 also when it refuses."""
    answer = _post(channel, url, payload)
    if answer.get("errcode") != 0:
        said = _plain(f"errcode {answer.get('errcode')} {answer.get('errmsg', '')}")[:200].rstrip()
        raise NotDelivered(f"机器人拒收：{said}", f"the robot refused: {said}")


def _webhook(channel: Channel, letter: Letter, now: datetime, secrets: Secrets) -> None:
    text = letter.text(MAIL_BYTES)
    told = {"event_id": letter.event_id, "kind": letter.kind, "title": letter.title, "text": text}
    _post(channel, _address(channel, secrets), {**told, "alarms": json.loads(json.dumps(letter.alarms, default=str))})


def _post(channel: Channel, url: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Post JSON and give the answer; the address holds the robot's key and is never said."""
    from pipelines.intake.address import Reach
    from pipelines.intake.fetch import post_json

    try:
        host, reach = urlsplit(url).hostname or "", Reach.of(url, networks=channel.networks)
        status, answer = post_json(url, payload, reach=reach, ca=channel.ca, seconds=SECONDS)
    except FetchError as error:
        raise NotDelivered(error.message.replace(url, "…"), error.message_en.replace(url, "…")) from None
    except ValueError:
        raise NotDelivered("机器人的地址无法读取", "the address of the robot cannot be read") from None
    if not 200 <= status < 300:
        raise NotDelivered(f"{host} 返回状态 {status}", f"{host} answered with status {status}")
    return answer


def _address(channel: Channel, secrets: Secrets) -> str:
    return _secret(channel.credentials, secrets).token


def _secret(name: str, secrets: Secrets) -> Secret:
    found = secrets(name)
    if found is None:
        raise NotDelivered(f"没有名为 {name} 的密钥，见 docs/settings.md", f"there is no secret named {name}")
    return found


SENDERS: dict[str, Callable[[Channel, Letter, datetime, Secrets], None]] = {
    "log": _log,
    "smtp": _mail,
    "wecom": _wecom,
    "dingtalk": _dingtalk,
    "webhook": _webhook,
}
