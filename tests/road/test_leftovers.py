"""What a crash leaves behind goes at the next start; what is young may still be in use."""

import os

from pipelines.batch import Places
from pipelines.sync import Road, tidy


def test_old_leftovers_of_a_crash_are_removed_and_young_ones_stay(tmp_path, now):
    places = Places(tmp_path, "", str(tmp_path / "tables"))
    for name, hours in (("old", 2), ("young", 0.5)):
        copy, scratch = places.uploads / f".incoming-{name}", tmp_path / "scratch" / f"walk-{name}"
        copy.parent.mkdir(exist_ok=True)
        scratch.mkdir(parents=True)
        copy.write_bytes(b"half")
        for path in (copy, scratch):
            os.utime(path, (now.timestamp() - hours * 3600,) * 2)
    with Road(places, lambda: now) as road:
        assert tidy(road) == 2
    assert [path.name for path in places.uploads.iterdir()] == [".incoming-young"]
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["walk-young"]
