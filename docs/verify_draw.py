"""Do a published draw of experts (draw/1) again, with the standard library alone; draw-protocol.md explains every step.

python verify_draw.py FILE [BUREAU=PUBLIC_KEY[,PUBLIC_KEY] ...]    exit code 0: the file is what its papers give; 1: it is not
Without keys each bureau's key is that of its commitment: nothing was changed since, but who signed is not known.
"""

import hashlib
import json
import re
import sys
from functools import cache, partial, reduce
from unicodedata import is_normalized

# fmt: off
KIND = {"w": '"[A-Za-z0-9-]+"', "w?": '"[A-Za-z0-9-]*"', "c": '"[A-Za-z0-9_.-]+"', "h": '"[0-9a-f]{64}"', "n": "[0-9]{1,4}", "draw": ".*",
        "s": r'"([^"\\]|\\.)*"', "b": "true|false", "t": r'"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.[0-9]{6}Z"'}
for _kind, _names in {  # what stands in each part, in canonical order, and what it is: one of the above, a [list], or that word
    "source": "due:t name:s", "value": "observed_at:t source:s value:s", "quotas": "odd:b other_side:n per_employer:n",
    "seat": "number:n specialty:c", "candidate": "employer:w? id:h reasons:[c] side:c specialties:[c] status:eligible|excluded",
    "request": "bureau:w cutoff:t held_on:c links:n opens_at:t quotas:quotas reveal_by:t seats:[seat] title:s",
    "list": "bureaus:[w] candidates:[candidate] document:gongzhi-expert-list/1 draw_id:w frozen_at:t hash:sha256|sm3 "
            "protocol:draw/1 reason:s replaces:w? request:request request_id:w rules_edition:c sequence:n",
    "commitment": "chain_tip:h commitment:h committed_at:t", "reveal": "revealed_at:t secret:h", "link": "link:h revealed_at:t",
    "replacement": "cause:c fallback_source:source links_by:t opened_at:t out:h"}.items():
    KIND |= {f"[{name}]": rf"\[(({one})(,({one}))*)?\]" for name, one in KIND.items() if name[0] != "["}
    _names = ",".join(f'"{name}":(' + KIND.get(kind, f'"({kind})"') + ")" for name, kind in re.findall(r"(\w+):(\S+)", _names))
    KIND[_kind] = r"\{" + _names + r"\}"
HEAD = "document draw_id bureau list commitments reveals replacements assurance algorithm key_id public_key signature".split()
canonical = partial(json.dumps, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # the field and the order of edwards25519

def must(fits: object, why: str) -> None:
    """Stop where something does not fit."""
    if not fits:
        raise ValueError(why)

@cache
def ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    """Check a signature (RFC 8032, 5.1): R = sB - hA."""
    def add(a: tuple, b: tuple) -> tuple:
        e, f, c, d = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P, a[3] * b[3] * twice % P, 2 * a[2] * b[2] % P
        return (f - e) * (d - c) % P, (d + c) * (f + e) % P, (d - c) * (d + c) % P, (f - e) * (f + e) % P
    def point(data: bytes, flip: int) -> tuple:
        sign, y = divmod(int.from_bytes(data, "little"), 2**255)
        square = (y * y - 1) * pow(curve * y * y + 1, -1, P) % P
        root = pow(square, (P + 3) // 8, P)
        x = next(x for x in (root, root * pow(2, (P - 1) // 4, P) % P) if x * x % P == square)
        return (x := x if x % 2 == sign ^ flip else P - x), y, 1, x * y % P
    curve, twice = -121665 * pow(121666, -1, P) % P, -243330 * pow(121666, -1, P) % P
    base, minus, s = point(bytes([0x58] + [0x66] * 31), 0), point(public, 1), int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    steps, r = ((0, 1, 1, 0), base, minus, add(base, minus)), (0, 1, 1, 0)
    for bit in range(252, -1, -1):
        r = add(add(r, r), steps[step]) if (step := (s >> bit & 1) + 2 * (h >> bit & 1)) else add(r, r)
    x, y = (value * pow(r[2], -1, P) % P for value in r[:2])
    return s < Q and (y | x % 2 << 255).to_bytes(32, "little") == signature[:32]

def walk(request: dict, seats: list, order: list, sitting: list, most: int) -> dict:
    """Walk the tickets of one round; ``sitting`` has a person or None for each seat, and is changed."""
    def settle(person: dict, people: list, tried: dict) -> bool:
        for taken, n in sorted((people[n] is not None, n) for n in range(len(seats)) if seats[n] in person["specialties"]):
            if n not in tried and tried.setdefault(n, True) and (not taken or settle(people[n], people, tried)):
                people[n] = person
                return True
        return False
    def reach(people: list) -> int:
        people = list(people)
        return min(missing, sum(settle(one, people, {}) for _, _, one in later if one["side"] != own))
    own, quotas, told = request["bureau"], request["quotas"], {"taken": [], "skipped": []}  # type: tuple[str, dict, dict]
    for n, (ticket, opaque, one) in enumerate(order, 1):
        if None in sitting and len(told["taken"]) < most:
            trial, later, missing = list(sitting), order[n:], quotas["other_side"] - sum(p["side"] != own for p in sitting if p)
            why = {} if settle(one, trial, {}) else {"reason": "no-seat"}
            if not why and 0 < quotas["per_employer"] <= [p and p["employer"] for p in sitting].count(one["employer"] or "none"):
                why = {"reason": "employer-quota"}
            if not why and one["side"] == own and 0 < missing and (trial.count(None) < missing or reach(trial) < reach(sitting)):
                why = {"reason": "other-side"}
            told["skipped" if why else "taken"].append({"id": opaque, "ticket": ticket} | why)
            sitting[:] = sitting if why else trial
    seating = [{"seat": seat, "id": one["id"] if one else ""} for seat, one in zip(seats, sitting, strict=True)]
    seat_of = {one["id"]: {"seat": one["seat"]} for one in seating}
    return {"order": [opaque for _, opaque, _ in order], "taken": [one | seat_of[one["id"]] for one in told["taken"]],
            "skipped": told["skipped"], "unfilled": [one["seat"] for one in seating if not one["id"]], "seating": seating}

def verify(text: str | bytes, keys: dict | None = None) -> str:
    """Go through the list, the papers and every round; an error names the first thing that does not fit."""
    def hashed(*parts: str) -> str:
        return hashlib.new(listed["hash"], "|".join(parts).encode()).hexdigest()
    def signed(kind: str, paper: dict, bureau: str, *times: str, **fixed: object) -> None:
        public, sign, body = paper["public_key"], paper["signature"], {n: v for n, v in paper.items() if n != "signature"}
        fixed |= {"document": f"gongzhi-expert-{kind}/1", "draw_id": listed["draw_id"], "bureau": bureau,
                  "algorithm": "Ed25519", "key_id": hashlib.sha256(public.encode()).hexdigest()[:16]}
        fits = re.fullmatch(KIND[kind], canonical({n: v for n, v in body.items() if n not in (*fixed, "public_key")}))
        must(fits and list(times) == sorted(times) and bureau in bureaus, f"the {kind} paper of {bureau}: its form or its times")
        must(canonical({n: paper[n] for n in fixed}) == canonical(fixed), f"the {kind} paper of {bureau} belongs elsewhere")
        must(public in (papers[bureau]["public_key"] if keys is None else keys.get(bureau, "")), f"not a key of {bureau}")
        must(re.fullmatch("[0-9a-f]{64},[0-9a-f]{128}", f"{public},{sign}"), f"the key or signature of {bureau} is malformed")
        must(ed25519(*map(bytes.fromhex, (public, sign)), canonical(body).encode()), f"the {kind} paper of {bureau} was changed")
    file = json.loads(text, object_pairs_hook=lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else must(0, "twice"))
    listed, papers, gone, seed = file["list"], file["commitments"], [], ""  # type: dict, dict, list, str
    must(is_normalized("NFC", canonical(file)) and re.fullmatch(KIND["list"], canonical(listed)), "the list is not of its form")
    request, bureaus, people, L = listed["request"], listed["bureaus"], listed["candidates"], hashed(canonical(listed))
    seats = [seat["specialty"] for seat in request["seats"] for _ in range(seat["number"])]
    must(len(seats) >= request["quotas"]["other_side"] and len(seats) % 2 >= request["quotas"]["odd"], "the seats of the list")
    words = [bureaus, [one["id"] for one in people], *(one[name] for one in people for name in ("specialties", "reasons"))]
    must(len(bureaus) == 2 and request["bureau"] in bureaus and all(one == sorted(set(one)) for one in words) and listed["sequence"]
         and (listed["sequence"] == 1) == (not listed["replaces"]) == (not listed["reason"]), "the head or the order of the list")
    must(all({*one["specialties"]} <= {*seats} and (one["status"] == "excluded") == bool(one["reasons"]) for one in people), "status")
    sources = [papers[bureaus[0]][name] for name in ("public_source", "fallback_source")]
    fits = all(re.fullmatch(KIND["source"], canonical(one)) for one in sources) and sources[0]["name"] != sources[1]["name"]
    must(fits and set(papers) == set(bureaus), "not all have committed, or their public sources do not fit")
    for bureau, paper in papers.items():
        signed("commitment", paper, bureau, request["cutoff"], listed["frozen_at"], paper["committed_at"], request["reveal_by"],
               *(one["due"] for one in sources), list_hash=L, links=request["links"], public_source=sources[0], fallback_source=sources[1])
    sitting, before = [None] * len(seats), max(paper["committed_at"] for paper in papers.values())  # type: list, str
    answered: dict = {"commitment_hashes": {bureau: hashed(canonical(papers[bureau])) for bureau in bureaus}}
    for n, entry in enumerate([file, *file["replacements"]]):
        given, value, drawn, opening = entry["links" if n else "reveals"], entry["public_value"], entry["drawn_at"], entry.get("opening")
        silent, by = [bureau for bureau in bureaus if bureau not in given], opening["links_by"] if n else request["reveal_by"]
        source = opening["fallback_source"] if n else sources[bool(silent)]
        if n:
            signed("replacement", opening, opening["bureau"], before, opening["opened_at"], by, source["due"], list_hash=L, round=n)
            before, answered = opening["opened_at"], {"round": n, "opening_hash": hashed(canonical(opening))}
            sitting[[one and one["id"] for one in sitting].index(opening["out"])] = None
        for bureau, paper in given.items():
            signed("link" if n else "reveal", paper, bureau, before, paper["revealed_at"], min(by, drawn), **answered)
            tip, start = (papers[bureau]["chain_tip"], paper["link"]) if n else (
                papers[bureau]["commitment"], hashed("draw/1", listed["draw_id"], L, bureau, paper["secret"]))
            must(reduce(lambda text, _: hashed(text), range(n), start) == tip, f"{bureau} gave what it had not committed to")
        must(re.fullmatch(KIND["t"], f'"{drawn}"') and n <= request["links"], f"round {n}: its time, or the chain is used up")
        must(value is None if n and not silent else re.fullmatch(KIND["value"], canonical(value)) and value["value"]
             and value["source"] == source["name"] and source["due"] <= value["observed_at"] <= drawn, f"round {n}: public value")
        public, field = hashed(value["value"]) if value else "", "link" if n else "secret"
        told = [given[one][field] if one in given else public * bool(n) for one in bureaus]
        seed, salt = seed or hashed(listed["draw_id"], L, *told, public), hashed("link", str(n), *told) if n else "0"
        able = [one for one in people if not one["reasons"] and one["id"] not in gone]
        again = walk(request, seats, sorted((hashed(seed, salt, one["id"]), one["id"], one) for one in able), sitting, 1 if n else 9999)
        again |= {"link": salt} if n else {"list_hash": L, "seed": seed, "protocol": "draw/1"}
        again["incidents"] = [{"kind": "no-link" if n else "no-reveal", "bureau": one, "round": n} for one in silent]
        names = {*again, "public_value", "drawn_at", *(("opening", "links") if n else HEAD)}
        must(set(entry) == names and canonical({n: entry[n] for n in again}) == canonical(again), f"round {n}: drawn again it differs")
        gone, before = gone + [one["id"] for one in again["taken"]], drawn
    must(file["assurance"] in ("one-home", "two-homes")[:len({paper["public_key"] for paper in papers.values()})], "the assurance")
    signed("draw", file, file["bureau"])
    return f"{listed['draw_id']}: drawn again it is the same; seated {len(sitting) - sitting.count(None)}, replaced {n}"

if __name__ == "__main__":
    sys.excepthook = lambda kind, error, trace: print(f"NOT OK: {error!r}", file=sys.stderr)
    with open(sys.argv[1], "rb") as stream:
        print("OK", verify(stream.read(), dict(word.split("=") for word in sys.argv[2:]) or None))
