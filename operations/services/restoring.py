"""Restoring a backup, on the host only and into an empty instance only.

The whole backup is verified before anything is written. Rows are loaded in one transaction, which also closes the database to the
application's role; it is opened again when the erasures of the ledger have been done once more, the chain of the activity log has
been verified and sealed fields have been opened. Killed before the rows are in, it begins anew; killed after, it goes on there.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from audit import grants
from audit.seal import heads, restores, sealing
from audit.seal.findings import Report
from audit.seal.places import Bucket, Place
from audit.seal.verification import verify
from audit.services import make_partitions, record, record_many
from mailing.models import ScheduledEmail
from mailing.models.emails import Status
from operations.backups import frames, objects, shelf, stream, target
from operations.backups.frames import BackupDamaged
from operations.privacy import ledger
from operations.services import backups, erasures
from vault import ring, rotation
from vault import services as vault
from vault.errors import SealedDataError
from vault.fields import SealedTextField
from vault.models import DataKey

PROOFS = 20  # sealed fields of one kind that are opened
Progress = Callable[[str, int, int], None]


class CannotRestore(Exception):
    """Why not, and what to do about it."""


class Restored(NamedTuple):
    """What a restore did, for whoever ran it."""

    name: str
    rows: int
    objects: int
    erased: int
    doubtful: int
    opened_keys: int
    unopened_keys: int
    proofs: int
    report: Report


def choose(where: Place, name: str) -> str:
    """The backup of this name, or the newest. Raises CannotRestore."""
    names = shelf.whole(where)
    if not names:
        raise CannotRestore(f"No whole backup lies in {where.name}.")
    if name and name not in names:
        raise CannotRestore(f"There is no whole backup {name} in {where.name}; the newest is {names[-1]}.")
    return name or names[-1]


def check(where: Place, name: str, *, progress: Progress) -> dict[str, Any]:
    """Read all of it, writing nothing; returns its manifest. Raises BackupDamaged."""
    said = shelf.manifest(where, name)
    expected = {table["name"]: table for table in said["tables"]}
    done = count = 0
    for member in stream.members(_blocks(where, name, said)):
        for piece in member.pieces():
            done += len(piece)
            progress("checked", done, _bytes_of(said))
        table = member.about.get("table")
        count += table is None
        if table is not None:
            wanted = expected.pop(table, {})
            if any(member.facts[fact] != wanted.get(fact) for fact in ("rows", "size", "sha256")):
                raise BackupDamaged(f"{table} is not what the manifest says")
    if expected or count != said["objects"]:
        raise BackupDamaged("it has less than its manifest says")
    return said


def _blocks(where: Place, name: str, said: dict[str, Any]) -> Any:
    return frames.opened(shelf.VolumesReader(where, name, said["volumes"]), f"backup|{name}")


def _bytes_of(said: dict[str, Any]) -> int:
    return int(sum(table["size"] for table in said["tables"]) + said["object_bytes"])


def restore(
    where: Place, name: str, *, without_ledger: bool = False, without_objects: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> Restored:  # fmt: skip
    """Raises CannotRestore, BackupDamaged, BackupKeyMissing; then the database is as it was, or closed until this is called again."""
    with target.as_owner():
        said = shelf.manifest(where, name)
        _refuse_unless_fit(said, without_ledger=without_ledger)
        store = _store_for(said, without_objects=without_objects)
        begun = grants.closed_for()
        if begun is None:
            _refuse_unless_empty(store)
            check(where, name, progress=progress)
            target.migrate_to(said["migrations"])
            _load(where, said, store, progress)
        elif begun != name:  # its rows are another backup's: nothing may be said of this one
            raise CannotRestore(f"The restore of {begun} has not ended here. Call `restore {begun}`, or take an empty database.")
        return _finish(said, progress)


# --- before ------------------------------------------------------------------------------------------------------------


def _refuse_unless_fit(said: dict[str, Any], *, without_ledger: bool) -> None:
    if unknown := target.unknown_migrations(said["migrations"]):
        raise CannotRestore(f"It was made by a later version of Aaperture ({unknown[-1]}): install that version first.")
    if missing := set(said["kids"]) - {kid for kid, _key in settings.ENCRYPTION_KEYS}:
        raise CannotRestore(
            f"ENCRYPTION_KEYS lacks {', '.join(sorted(missing))}, without which sealed fields do not open: put it back behind the others."
        )
    if not ledger.is_kept() and not without_ledger:
        raise CannotRestore(
            "No ledger of erasures is configured (ERASURE_LEDGER): erased people would come back. If there never was one, say"
            " --without-ledger."
        )
    if others := target.users():
        raise CannotRestore(f"{others} sessions use this database: stop the web server, the workers and the clock first.")


def _store_for(said: dict[str, Any], *, without_objects: bool) -> Bucket | None:
    if not said["objects"] or without_objects:
        return None
    if not objects.is_configured():
        raise CannotRestore(
            f"It holds {said['objects']} objects, and no object store is configured (S3_BUCKET): configure it, or say --without-objects."
        )
    return objects.bucket()


def _refuse_unless_empty(store: Bucket | None) -> None:
    if found := target.filled():
        raise CannotRestore(f"This instance is in use: rows stand in {', '.join(found)}. A backup is restored into an empty database only.")
    if store is not None and objects.is_foreign(store):
        raise CannotRestore(f"The bucket {store.bucket} holds objects already. Restore into an empty one, or say --without-objects.")


# --- writing -----------------------------------------------------------------------------------------------------------


def _load(where: Place, said: dict[str, Any], store: Bucket | None, progress: Progress) -> None:
    """Rows and objects; the objects are there before the rows that name them are committed."""
    if store is not None:
        store.append(objects.MARK, said["name"].encode())
    done = 0

    def counted(pieces: Any) -> Any:
        nonlocal done
        for piece in pieces:
            done += len(piece)
            progress("restored", done, _bytes_of(said))
            yield piece

    with target.loading(said) as load:
        for member in stream.members(_blocks(where, said["name"], said)):
            if "table" in member.about:
                load(member.about["table"], member.about["columns"], counted(member.pieces()))
            elif store is not None:
                objects.write(store, member.about, counted(member.pieces()))
            else:
                for _ in counted(member.pieces()):
                    pass
    if store is not None:
        store.delete(objects.MARK)


def _finish(said: dict[str, Any], progress: Progress) -> Restored:
    """What is done to the loaded rows; each step may be done twice."""
    ring.forget_keys()
    vault.opened.forget()
    target.migrate_forward()
    make_partitions()
    sealing.begin_epoch()
    restores.tell(sealing.last_seal())
    erased = _erase_again()
    doubtful = _doubt_mail()
    backups.look_at_shelf()
    proofs = _open_some()
    unopened = sum(rotation.unopened().values())
    opened_keys = DataKey.objects.filter(destroyed_at=None).count() - unopened
    record("backup.restored", backup=said["name"], rows=said["rows"], objects=said["objects"], erased=erased, doubtful=doubtful)
    sealing.seal_pending()
    heads.publish()
    report = verify(heads=heads.addresses(), progress=lambda done, total: progress("verified", done, total))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    grants.open_to_application()
    return Restored(said["name"], said["rows"], said["objects"], erased, doubtful, opened_keys, unopened, proofs, report)


def _erase_again() -> int:
    try:
        return erasures.replay()
    except erasures.NotErased:
        raise CannotRestore(
            "An account that the ledger names could not be erased: the ledger or the object store does not answer. The instance stays"
            " closed; start restore again: it goes on."
        ) from None


@transaction.atomic
def _doubt_mail() -> int:
    """Mail that waited in the backup and was due since may have gone out: a person says so, and nothing is sent twice."""
    rows = list(ScheduledEmail.objects.filter(status__in=(Status.SCHEDULED, Status.SENDING), due_at__lte=timezone.now()))
    doubtful = ScheduledEmail.objects.filter(pk__in=[row.pk for row in rows])
    doubtful.update(status=Status.UNKNOWN, error="restored", claim=None, claimed_until=None)
    record_many("email.unknown", rows)
    return len(rows)


def _open_some() -> int:
    """Sealed fields of every kind: that they open shows that ring, salts and data keys fit together. Those of erased people do not."""
    count = 0
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, SealedTextField):
                rows = model._default_manager.filter(**{f"{field.name}__isnull": False}).order_by("-pk")
                count += sum(_opens(row, field.name) for row in rows[:PROOFS])
    return count


def _opens(row: Model, name: str) -> bool:
    try:
        return getattr(row, name) is not None
    except SealedDataError:
        return False
