"""The matrix as data says what `rbac.yaml` says, cell by cell."""

from pathlib import Path

import pytest
import yaml

from accounts.models import User
from accounts.roles import LEVELS, OPERATIONS, PAGES, ROLE_PERMISSIONS, STAFF, Role

MATRIX = yaml.safe_load((Path(__file__).parent / "rbac.yaml").read_text())
STAFF_ROLES = ["admin", "developer", "designer", "executor", "executive", "viewer"]


def allowed(cell: object) -> bool:
    return cell is True or (isinstance(cell, str) and cell.startswith(("yes", "ro")))


CELLS = [
    (area, operation, role, allowed(row[role]))
    for area, operations in MATRIX["resources"].items()
    for operation, row in operations.items()
    for role in STAFF_ROLES
]
PAGE_CELLS = [(page, role, allowed(row[role])) for page, row in MATRIX["navigation"].items() for role in STAFF_ROLES]


def test_the_matrix_is_whole():
    assert len(CELLS) == 192 and len(PAGE_CELLS) == 48 and len(OPERATIONS) == 32 and len(PAGES) == 8


@pytest.mark.parametrize(("area", "operation", "role", "expected"), CELLS)
def test_has_perm_gives_the_cells_answer(area, operation, role, expected):
    permission, _ = OPERATIONS[area, operation]
    assert User(role=role).has_perm(permission) is expected


@pytest.mark.parametrize(("name", "role", "expected"), PAGE_CELLS)
def test_pages_are_permissions_of_their_own(name, role, expected):
    assert User(role=role).has_perm(f"pages.{name}") is expected


def test_levels_and_staff_are_as_written_down():
    assert {role: data["level"] for role, data in MATRIX["roles"].items()} == {role.value: level for role, level in LEVELS.items()}
    assert sorted(STAFF) == sorted(STAFF_ROLES)


@pytest.mark.parametrize("role", [Role.COACH, Role.MEMBER])
def test_coach_and_member_have_no_cell(role):
    assert ROLE_PERMISSIONS[role] == frozenset() and not User(role=role).is_staff


def test_an_inactive_administrator_may_nothing():
    assert not User(role=Role.ADMIN, is_active=False).has_perm("accounts.view_user")


def test_there_is_no_superuser():
    assert not User(role=Role.ADMIN).is_superuser and not User(role=Role.ADMIN).has_perm("no.such_permission")
