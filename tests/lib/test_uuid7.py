import time

from aaperture.lib.uuid7 import uuid7


def test_keys_are_version_7_unique_and_sort_by_age():
    early = [uuid7() for _ in range(1000)]
    time.sleep(0.002)
    late = [uuid7() for _ in range(1000)]
    assert len(set(early + late)) == 2000 and max(early) < min(late)
    assert {key.version for key in early} == {7} and {key.variant for key in early} == {"specified in RFC 4122"}
    milliseconds = early[0].int >> 80
    assert abs(milliseconds / 1000 - time.time()) < 5
