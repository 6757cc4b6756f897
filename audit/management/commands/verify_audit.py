import sys
import time
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.seal import archives, chain, heads
from audit.seal.findings import Report
from audit.seal.verification import verify

WIDTH = 30


def public_key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ArgumentTypeError("a public key is 64 hexadecimal digits")
    return key


class Command(BaseCommand):
    help = (
        "Verifies the activity log: its chain of seals, every row, and the heads outside the database. Names what it finds, and ends "
        "with 1 if it finds anything. With --archive it verifies one archived month, for which it needs no database."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="first", type=int, metavar="SEAL", help="number of the first seal to verify")
        parser.add_argument("--to", dest="last", type=int, metavar="SEAL", help="number of the last one")
        parser.add_argument(
            "--heads",
            action="append",
            metavar="PLACE",
            help="a file, folder or s3://bucket/prefix of heads (default: those of AUDIT_HEADS)",
        )
        parser.add_argument(
            "--public-key", action="append", type=public_key, default=[], metavar="HEX", help="trust this key, not the ring's"
        )
        parser.add_argument("--archive", metavar="PLACE", help="verify one archived month: its folder, or s3://bucket/prefix/YYYY-MM")
        parser.add_argument("--print-public-key", action="store_true", help="print the key that signs, for those who verify elsewhere")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["print_public_key"]:
            self.stdout.write(chain.public_bytes(chain.current_key()).hex())
            return
        self.started = self.drawn = time.monotonic()
        if options["archive"]:
            report = archives.verify(options["archive"], public_keys=options["public_key"], progress=self._progress)
        else:
            places = heads.addresses() if options["heads"] is None else options["heads"]
            report = verify(
                first=options["first"], last=options["last"], heads=places, public_keys=options["public_key"], progress=self._progress
            )
        self._tell(report, has_heads=bool(options["heads"] or settings.AUDIT_HEADS), is_archive=bool(options["archive"]))
        if not report.is_intact:
            count = len(report.findings)
            raise CommandError(f"{count} finding{'s' if count > 1 else ''}: this log is not what was sealed.", returncode=1)

    def _progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or (now - self.drawn < 0.1 and done < total):
            return
        self.drawn = now
        filled = WIDTH * done // total if total else WIDTH
        rate = done / (now - self.started or 1)
        end = "\n" if done >= total else ""
        self.stderr.write(f"\r{'█' * filled}{'░' * (WIDTH - filled)} {done:,} of {total:,} rows, {rate:,.0f}/s ", ending=end)
        self.stderr.flush()

    def _tell(self, report: Report, *, has_heads: bool, is_archive: bool) -> None:
        for finding in report.findings:
            self.stdout.write(self.style.ERROR(str(finding)))
        seconds = time.monotonic() - self.started
        span = f" ({report.first_seal}–{report.last_seal})" if report.seals else ""
        self.stdout.write(
            f"Verified {report.rows:,} rows in {report.seals:,} seals{span} in {seconds:.1f} s, {report.rows / (seconds or 1):,.0f} rows/s."
        )
        for key_id, count in report.keys.items():
            self.stdout.write(f"Signed by key {key_id}: {count:,} seals.")
        for month, rows in report.archived.items():
            self.stdout.write(f"In the archive: {month}, {rows:,} rows (verify it with --archive).")
        if not is_archive:
            self._tell_of_anchors(report, has_heads=has_heads)
            self.stdout.write(f"Not sealed yet: {report.unsealed:,} rows.")
        if report.is_intact:
            self.stdout.write(self.style.SUCCESS("Intact."))

    def _tell_of_anchors(self, report: Report, *, has_heads: bool) -> None:
        for restored in report.restores:
            self.stdout.write(self.style.WARNING(restored))
        for place, (first, last) in report.anchored.items():
            self.stdout.write(f"Anchored outside: seals {first}–{last}, in {place}.")
        if not has_heads:
            self.stdout.write(self.style.WARNING("Not anchored: no heads outside the database were compared (AUDIT_HEADS, --heads)."))
        elif report.last_seal and report.anchored_until < report.last_seal:
            self.stdout.write(f"Not anchored: seals {max(report.anchored_until + 1, report.first_seal or 1)}–{report.last_seal}.")
