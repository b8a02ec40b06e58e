"""专家库: the pool, matches, the draw with two persons and its public page, appraisal (E1, E2).

============== ==============================================================================================
counter.py     who stands before the pool, and in which role; texts, days and faults of the forms
pool.py        the list and one expert; telling.py: what staff tell of an expert; pairs.py: one person twice
bringing_in.py lists, kept in memory (one_file.py) until they are sealed
recusal.py     why somebody may or may not sit
asking_for.py  a draw is asked for; draw_page.py shows it, steps.py takes its steps, seats.py what follows
papers.py      minutes, and the papers from and to the other bureau's home
public.py      what everybody may see, and do again
============== ==============================================================================================
"""

from __future__ import annotations

from portal.web.asking import PUBLIC, MenuItem, Room, Route
from portal.web.experts import (
    asking_for,
    bringing_in,
    draw_page,
    pairs,
    papers,
    pool,
    public,
    recusal,
    seats,
    steps,
    telling,
)  # fmt: skip

ROOM = Room(
    routes=(
        Route("GET", "/experts", "expert.read", pool.listing),
        Route("GET", "/experts/import", "expert.write", bringing_in.blank),
        Route("POST", "/experts/import", "expert.write", bringing_in.upload, takes="stream"),
        Route("GET", "/experts/template.xlsx", "expert.write", bringing_in.template),
        Route("GET", "/experts/matches", "expert.read", pairs.pairs),
        Route("POST", "/experts/matches", "expert.write", pairs.decide),
        Route("GET", "/experts/recusal", "expert.read", recusal.recusal),
        Route("GET", "/experts/{expert}", "expert.read", pool.one),
        Route("POST", "/experts/{expert}/state", "expert.write", telling.state),
        Route("POST", "/experts/{expert}/employment", "expert.write", telling.employment),
        Route("POST", "/experts/{expert}/tie", "expert.write", telling.tie),
        Route("POST", "/experts/{expert}/consent", "expert.write", telling.consent),
        Route("POST", "/experts/{expert}/leave", "expert.write", telling.leave),
        Route("GET", "/draws", "expert.follow", draw_page.draws),
        Route("GET", "/draws/new", "expert.draw", asking_for.blank),
        Route("POST", "/draws/new", "expert.draw", asking_for.send),
        Route("GET", "/draws/exchange", "expert.commit", papers.exchange),
        Route("POST", "/draws/exchange", "expert.commit", papers.take, takes="stream"),
        Route("GET", "/draws/{draw}", "expert.follow", draw_page.draw),
        Route("GET", "/draws/{draw}/minutes.pdf", "expert.follow", papers.record_sheet),
        Route("GET", "/draws/{draw}/papers.json", "expert.commit", papers.export),
        Route("POST", "/draws/{draw}/freeze", "expert.confirm", steps.freeze),
        Route("POST", "/draws/{draw}/commit", "expert.commit", steps.commit),
        Route("POST", "/draws/{draw}/reveal", "expert.commit", steps.reveal),
        Route("POST", "/draws/{draw}/run", "expert.confirm", steps.run),
        Route("POST", "/draws/{draw}/publish", "expert.draw", steps.publish),
        Route("POST", "/draws/{draw}/abandon", "expert.confirm", steps.abandon),
        Route("GET", "/draws/{draw}/seats", "expert.draw", seats.seats),
        Route("POST", "/draws/{draw}/seats/phones", "expert.draw", seats.phones),
        Route("POST", "/draws/{draw}/seats/invite", "expert.draw", seats.invite),
        Route("POST", "/draws/{draw}/seats/answer", "expert.draw", seats.answer),
        Route("POST", "/draws/{draw}/seats/appraise", "expert.draw", seats.appraise),
        Route("POST", "/draws/{draw}/seats/vacancy", "expert.draw", seats.vacancy),
        Route("POST", "/draws/{draw}/link", "expert.commit", steps.link),
        Route("POST", "/draws/{draw}/replacement", "expert.confirm", steps.replacement),
        Route("GET", "/public/draws", PUBLIC, public.draws),
        Route("GET", "/public/draws/verify_draw.py", PUBLIC, public.script),
        Route("GET", "/public/draws/{draw}", PUBLIC, public.draw),
        Route("GET", "/public/draws/{draw}/draw.json", PUBLIC, public.file),
    ),
    menu=(
        MenuItem("/experts", "专家库", "Experts", "expert.read"),
        MenuItem("/draws", "专家抽取", "Expert draws", "expert.follow"),
    ),
)
