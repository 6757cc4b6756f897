"""The console's activity list at 1,000, 1,000,000 and 5,000,000 rows, partitioned over 13 months, beside Django's stock admin.

    python bench/console.py            1,000 and 200,000 rows
    python bench/console.py --full     1,000, 1,000,000 and 5,000,000 rows (some minutes, some gigabytes of scratch database)
    python bench/console.py [--full] --only=search     only the cases with that word

Whole requests through all middleware, the small and the big table asked in turn. Goal: at most 1.5x the time at 1,000 rows.
A page takes tens of milliseconds of Python and few of the database, so others' work on the machine makes single figures jump by
more than the goal allows; it only ever makes them longer, and so each time is the lower quartile of many.
"""

import os
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("ENVIRONMENT", "test")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aaperture.settings")

import psycopg

from bench.own_servers import own_servers
from bench.report import Report

SMALL, QUICK, FULL = 1_000, (200_000,), (1_000_000, 5_000_000)
MONTHS, RARE, GOAL = 13, 60, 1.5
ROUNDS, TIMES = 12, 2
PERSON = "00000000-0000-7000-8000-%012d"  # by number; 1 made a fifth of all rows, 2 and 3 made few
COMMON_ACTION, RARE_ACTION, RARE_TARGET = "user.login", "role.changed", "00000000-0000-7000-9000-000000000001"
MAKE_ROWS = f"""
INSERT INTO audit_activity (id, recorded_at, action, actor_kind, actor_id, credential, credential_id, organization_id, target_type,
    target_id, request_id, details, address, agent, address_hash, account_hash, canonical)
SELECT gen_random_uuid(), now() - n * (interval '1 day' * %(days)s / %(until)s),
    CASE WHEN rare THEN '{RARE_ACTION}'
        ELSE (ARRAY['{COMMON_ACTION}', 'user.logout', 'opportunity.moved', 'run.finished', 'connection.token_refreshed'])[1 + n %% 5] END,
    'user', ('00000000-0000-7000-8000-'
        || lpad((CASE WHEN rare THEN 2 WHEN n %% 5 = 1 THEN 1 ELSE 4 + n %% 2000 END)::text, 12, '0'))::uuid,
    'session', '', NULL, 'accounts.user',
    CASE WHEN rare THEN '{RARE_TARGET}' ELSE '00000000-0000-7000-a000-' || lpad((n %% 100000)::text, 12, '0') END,
    gen_random_uuid()::text, '{{"method": "password"}}', sha256(n::text::bytea), sha256(n::text::bytea),
    CASE WHEN rare THEN %(rare_hash)s ELSE sha256((n %% 5000)::text::bytea) END, NULL, repeat(md5(n::text), 12)
FROM (SELECT n, n <= {SMALL} AND n %% {SMALL // RARE} = 0 AS rare FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n) AS numbers
"""
CASES = {
    "first page": "",
    "deep page": "?day={deep}",
    "the page after it": "?after={deep}T00:00:00%2B00:00,00000000-0000-7000-8000-000000000000",
    "last page": "?last=1",
    "filter, a fifth of all rows": f"?action={COMMON_ACTION}",
    "filter, deep": f"?action={COMMON_ACTION}&day={{deep}}",
    f"filter, {RARE} rows": f"?action={RARE_ACTION}",
    "search, who made a fifth": "?q=heavy@example.test",
    "search, who made few": "?q=rare@example.test",
    "search, an object": f"?q={RARE_TARGET}",
    "search, an address": "?q=203.0.113.9",
    "search, nothing found": "?q=nobody@example.test",
}
STOCK = {
    "first page": "",
    "deep page": "?p={page}",
    "filter, a fifth of all rows": f"?action={COMMON_ACTION}",
    "search, who made few": f"?q={PERSON % 2}",
}


class Bench:
    def __init__(self, owner_url: str) -> None:
        from django.test import Client

        self.owner_url = owner_url
        self.client = Client()

    def owner(self, database: str) -> psycopg.Connection:
        return psycopg.connect(urlsplit(self.owner_url)._replace(path=f"/{database}").geturl(), autocommit=True)

    def use(self, database: str) -> None:
        from django.db import connection

        if connection.settings_dict["NAME"] != database:
            connection.close()
            connection.settings_dict["NAME"] = database

    def set_up(self) -> None:
        """People, a signed-in administrator and the partitions; each measured database is a copy."""
        from django.conf import settings
        from django.core.management import call_command

        from accounts.models import User
        from tests.accounts.people import make_user

        call_command("migrate", verbosity=0)
        for number, name in ((1, "heavy"), (2, "rare")):
            User.objects.create(id=PERSON % number, email=f"{name}@example.test")
        self.client.force_login(make_user(role="admin", timezone="UTC", email="admin@example.test"))
        self.template = settings.DATABASES["default"]["NAME"]
        with self.owner(self.template) as connection:
            for month in range(MONTHS + 1):
                connection.execute("SELECT audit_make_partition((now() - %s * interval '1 month')::date)", [month])

    def copy(self, name: str) -> None:
        from django.db import connection

        connection.close()
        with self.owner("postgres") as owner:
            owner.execute(f"CREATE DATABASE {name} TEMPLATE {self.template}")

    def fill(self, database: str, first: int, last: int) -> None:
        from vault.services import keyed_hash

        self.use(database)
        values = {"days": MONTHS * 30, "until": last, "rare_hash": keyed_hash("address", "203.0.113.9")}
        with self.owner(database) as connection:
            for start in range(first, last + 1, 250_000):
                connection.execute(MAKE_ROWS, values | {"first": start, "last": min(last, start + 249_999)})
                print(f"\r{database}: {min(last, start + 249_999):,} rows", end="", file=sys.stderr, flush=True)
            connection.execute("VACUUM ANALYZE audit_activity")
        print(file=sys.stderr)

    def milliseconds(self, database: str, path: str, times: int) -> list[float]:
        from django.core.cache import caches

        self.use(database)
        self.get(path)
        taken = []
        for _ in range(times):
            caches["limits"].clear()
            before = time.perf_counter()
            self.get(path)
            taken.append((time.perf_counter() - before) * 1000)
        return taken

    def get(self, path: str) -> None:
        response = self.client.get(path)
        if response.status_code != 200:
            raise SystemExit(f"{path} answered {response.status_code}")


def with_stock_admin() -> None:
    """Django's own list of the same rows, with Django's own defaults, at /stock/."""
    from django.conf import settings
    from django.contrib import admin
    from django.urls import path

    import aaperture.urls
    from audit.admin import ActionFilter
    from audit.models import Activity

    class StockAdmin(admin.ModelAdmin):
        list_display = ("recorded_at", "action", "actor_id", "target_type", "target_id", "credential")
        list_filter = (ActionFilter,)
        search_fields = ("actor_id", "target_id")
        ordering = ("-recorded_at",)
        list_per_page = 50

    stock = admin.AdminSite("stock")
    stock.register(Activity, StockAdmin)
    urls = types.ModuleType("bench_urls")
    vars(urls).update({name: value for name, value in vars(aaperture.urls).items() if name.startswith("handler")})
    urls.urlpatterns = [*aaperture.urls.urlpatterns, path("stock/", stock.urls)]  # type: ignore[attr-defined]
    sys.modules["bench_urls"] = urls
    settings.ROOT_URLCONF = "bench_urls"


def compare(report: Report, bench: Bench, big: str, rows: int, only: str) -> None:
    from datetime import UTC, datetime, timedelta

    deep = (datetime.now(UTC) - timedelta(days=MONTHS * 15)).date()
    for case, query in CASES.items():
        if only not in case:
            continue
        path = "/admin/audit/activity/" + query.format(deep=deep)
        small, large = in_turn(lambda name, path=path: bench.milliseconds(name, path, TIMES), "small", big)
        report.add(f"{case}, {SMALL:,} rows", small, "ms")
        report.add(f"{case}, {rows:,} rows", large, "ms")
        report.add(f"{case}, {rows:,} / {SMALL:,}", large / small, "x", goal=GOAL, at_most=True)
    for case, query in STOCK.items():
        if only not in case:
            continue
        path = "/stock/audit/activity/" + query.format(page=rows // 100)
        report.add(f"stock admin: {case}, {rows:,} rows", statistics.median(bench.milliseconds(big, path, 2)), "ms")


def in_turn(measure: Callable[[str], list[float]], one: str, other: str) -> tuple[float, float]:
    """The lower quartiles of both, asked in turn, so that a busy machine is as busy for one as for the other."""
    taken: dict[str, list[float]] = {one: [], other: []}
    for _ in range(ROUNDS):
        for name in (one, other):
            taken[name] += measure(name)
    return statistics.quantiles(taken[one])[0], statistics.quantiles(taken[other])[0]


def main(arguments: list[str]) -> int:
    only = next((one.partition("=")[2] for one in arguments if one.startswith("--only=")), "")
    with own_servers(fast=True):
        return run(os.environ["MIGRATION_DATABASE_URL"], FULL if "--full" in arguments else QUICK, only)


def run(owner: str, sizes: tuple[int, ...], only: str = "") -> int:
    import django

    django.setup()
    with_stock_admin()
    bench, report = Bench(owner), Report("console")
    bench.set_up()
    for name in ("small", "big"):
        bench.copy(name)
        bench.fill(name, 1, SMALL)
    held = SMALL
    for rows in sizes:
        bench.fill("big", held + 1, rows)
        held = rows
        compare(report, bench, "big", rows, only)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
