"""The pages of the layout studio: the proposal beside the first rows, the trial, and the layouts a bureau has made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import PlainTextResponse, Response

from pipelines.standardise.propose import Sketch
from portal.filing import recheck
from portal.filing.drafts import bytes_of, folder_of
from portal.studio.choices import IGNORE, OTHER_FORMAT, PERIODS, fields_of, read_choices, template_of, units_of
from portal.studio.errors import NotTried, Undecided
from portal.studio.saving import own_layouts, save_layout
from portal.studio.trying import Tried, keep_tried, last_tried, look, mark_of, try_layout
from portal.studio.writing import write_layout
from portal.web.asking import Ask, see
from portal.web.errors import Problem
from portal.web.filing.choosing import filing_desk
from portal.web.filing.words import NO_LAYOUT
from portal.web.pages import page
from portal.web.words import DATASETS
from records.filings import Filing, WantedFilings, filing, filings
from schemas.layouts import MEDIA
from schemas.loaders import parameters

CHINA = timedelta(hours=8)
NOT_HERE = ("experts",)
LISTED = 50
EXAMPLE = datetime(2026, 4, 8, 15, 20)
"""Shows what a format means."""
PERIOD_WORDS = {
    "1h": ("小时值", "one hour"),
    "8h": ("8 小时值", "eight hours"),
    "24h": ("日均值", "one day"),
    "": ("单次采样，没有平均时间", "a single sample"),
}


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """One column on the page: what the person said of it, or what it seems to mean."""

    at: int
    header: str
    sample: tuple[str, ...]
    means: str
    unit: str
    near: tuple[str, ...]


def overview(ask: Ask) -> Response:
    """List the bureau's own layouts, and its files that no layout fits."""
    bureau = ask.me.bureau
    found = filings(ask.site.records, WantedFilings(bureau, states=("checked", "refused", "failed")), 0, 200).filings
    waiting = [one for one in found if (one.error or {}).get("code") in NO_LAYOUT][:LISTED]
    return page(
        ask, "studio/overview.html",
        own=own_layouts(ask.site.places, bureau), waiting=waiting, datasets=DATASETS, done=ask.query.get("saved", "")[:60],
    )  # fmt: skip


def proposal(ask: Ask) -> Response:
    """Show what the file seems to hold, for the person to decide."""
    one = own_filing(ask)
    dataset = ask.query.get("dataset", "")
    seen = _sketch(ask, one, dataset if dataset in _choosable() else None)
    return _studio(ask, one, seen, {})


def tried(ask: Ask) -> Response:
    """Try what was decided on the file."""
    one = own_filing(ask)
    dataset = ask.form.get("dataset", "")
    seen = _sketch(ask, one, dataset if dataset in _choosable() else None)
    folder = folder_of(ask.site.places, one.filing_id)
    try:
        choices = read_choices(ask.form, seen)
        day = f"{ask.at + CHINA:%Y-%m-%d}"
        text = write_layout(choices, seen, one.bureau, ask.me.login or ask.me.account_id, day)
        with _turn(ask):
            trial = try_layout(
                ask.site.places,
                bytes_of(ask.site.places, one),
                one.file_name,
                one.bureau,
                choices,
                text,
                ask.site.clock,
            )
    except Undecided as error:
        return _studio(ask, one, seen, ask.form, faults={error.place: ask.words(error.message, error.message_en)})
    keep_tried(folder, trial)
    return _studio(ask, one, seen, ask.form, trial=trial)


def saved(ask: Ask) -> Response:
    """Save the layout that was tried, and check the file again by it."""
    one = own_filing(ask)
    trial = last_tried(folder_of(ask.site.places, one.filing_id))
    try:
        save_layout(
            ask.site.places, ask.site.records, one.bureau, trial, ask.form.get("mark", ""), ask.me.account_id, ask.at
        )
    except NotTried as error:
        raise Problem(409, error.code, error.message, error.message_en) from None
    dataset = str(trial.outcome["dataset"]) if trial is not None else one.dataset
    recheck(filing_desk(ask), ask.me, one.filing_id, dataset, ask.at)
    return see(f"/filings/{one.filing_id}")


def one(ask: Ask) -> Response:
    """Give the text of one of the bureau's own layouts."""
    for layout in own_layouts(ask.site.places, ask.me.bureau):
        if layout.layout == ask.path["layout"]:
            return PlainTextResponse(layout.path.read_text(encoding="utf-8"))
    raise Problem(404)


def own_filing(ask: Ask) -> Filing:
    """Find the file an address names, if it is one of the caller's bureau and still a draft."""
    found = filing(ask.site.records, ask.path["filing"])
    ask.need("layout.write", found.bureau)
    if found.state != "checked":
        raise Problem(
            409, "no-draft", "这个文件已经提交或撤回，不能再用来配置格式。请重新上传一次（仅预检）",
            "this file was handed in or withdrawn: upload it once more, as a check",
        )  # fmt: skip
    return found


def _choosable() -> tuple[str, ...]:
    return tuple(name for name in DATASETS if name not in NOT_HERE)


class _turn:  # noqa: N801
    """Wait for one of the few places for heavy work."""

    def __init__(self, ask: Ask) -> None:
        self.heavy = ask.site.heavy

    def __enter__(self) -> None:
        if not self.heavy.acquire(timeout=20):
            raise Problem(503, headers={"retry-after": "30"})

    def __exit__(self, *_: object) -> None:
        self.heavy.release()


def _sketch(ask: Ask, one: Filing, dataset: str | None) -> Sketch:
    with _turn(ask):
        return look(
            ask.site.places, bytes_of(ask.site.places, one), one.file_name, one.bureau, dataset or one.dataset or None
        )


def _studio(
    ask: Ask, one: Filing, seen: Sketch, form: Mapping[str, str], *, faults: Mapping[str, str] | None = None,
    trial: Tried | None = None,
) -> Response:  # fmt: skip
    asked = bool(form)
    medium = MEDIA.get(seen.dataset)
    known = [found for found in parameters().values() if found.medium == medium and not found.publisher]
    formats = [
        (at, text, form.get(f"format-{at}") == "yes" if asked else text in seen.formats, EXAMPLE.strftime(text))
        for at, text in enumerate(seen.known_formats)
    ]
    formats.sort(key=lambda found: not found[2])
    return page(
        ask, "studio/proposal.html", 422 if faults else 200,
        one=one, seen=seen, faults=faults or {}, trial=trial, mark=mark_of(trial.text) if trial else "",
        rows=list(_rows(seen, form)), identity=fields_of(seen.dataset), series=medium is not None, known=known,
        units=units_of(seen.dataset) if medium else {}, formats=formats, other_format=OTHER_FORMAT, ignore=IGNORE,
        periods=[(period, ask.words(*PERIOD_WORDS[period])) for period in PERIODS],
        datasets={name: words for name, words in DATASETS.items() if name not in NOT_HERE},
        said={
            "name": form.get("name", ""), "title": form.get("title", ""), "stamp": form.get("stamp", ""),
            "period": form.get("period", "?"), "other": form.get(OTHER_FORMAT, ""),
            "hour24": form.get("hour24") == "yes" if asked else seen.hour24,
            "missing": form.get("missing", "") if asked else " ".join(filter(None, template_of(seen.dataset).missing)),
        },
    )  # fmt: skip


def _rows(seen: Sketch, form: Mapping[str, str]) -> Iterator[ColumnRow]:
    for at, column in enumerate(seen.columns):
        means = form.get(f"means-{at}", column.means)
        unit = form.get(f"unit-{at}", column.unit)
        yield ColumnRow(at, column.header, column.sample, means, unit, column.near)
