"""Which bureaus a home plays in the draws, and whose keys it trusts: written to ``bureaus/expert_desk.toml``."""

from __future__ import annotations

import json

from expert_registry.errors import IncompleteExpert
from portal.expert_desk import Office
from portal.settings import EXPERT_DESK


def trust_key(office: Office, bureau: str, key: str) -> tuple[str, ...]:
    """Trust a key of another bureau, which this home no longer plays; gives whose part is left. It goes on the chain."""
    told = office.settings
    plays = tuple(one for one in (told.plays or office.bureaus) if one != bureau)
    if not plays:
        raise IncompleteExpert(
            f"本机须至少代表一方，不能把 {bureau} 也交给对方", f"this home plays at least one part: {bureau} stays here"
        )
    trusted = {**told.trusted, bureau: tuple(dict.fromkeys((*told.trusted.get(bureau, ()), key)))}
    lines = [f"plays = {json.dumps(list(plays))}", "", "[trusted]"]
    lines += [f"{name} = {json.dumps(list(keys))}" for name, keys in sorted(trusted.items())]
    path = office.places.site_facts / EXPERT_DESK
    draft = path.with_name(f".{path.name}")
    draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    draft.replace(path)
    payload = {"bureau": bureau, "key": key, "plays": list(plays), "by": office.by}
    office.records.append("expert-key-trusted", office.at, payload=payload)
    return plays
