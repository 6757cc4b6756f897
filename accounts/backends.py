"""One authority for `has_perm()`: web pages, templates, the API and every ModelAdmin get the same answer."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.http import HttpRequest

from accounts.access import may_enter
from accounts.models import User
from accounts.roles import ROLE_PERMISSIONS
from accounts.services import signing_in
from accounts.sessions import person_of_session


class RoleBackend(AuthenticationBackend):
    """allauth signs people in; what they may follows from their one role, read anew with the user on every request.

    No superuser bypass, no groups, no permissions of a single user.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """The account that an address and its password open: one hashing, whoever is asked for, and no other answer than yes
        or None. axes' backend stands before this one and has counted the try already."""
        password = credentials.get("password")
        if not password:
            return None
        name = str(credentials.get("email") or credentials.get("username") or "")
        user = signing_in.tried(request, name) if request is not None else signing_in.find(name)
        return user if signing_in.password_fits(user, password) and user and self.user_can_authenticate(user) else None

    def get_user(self, user_id: Any) -> User | None:
        person = person_of_session(user_id)
        if person is None:
            return super().get_user(user_id)
        return person if self.user_can_authenticate(person) else None

    def user_can_authenticate(self, user: Any) -> bool:
        """Asked at sign-in and, by `get_user`, on every request of a session: refused now means signed out now."""
        return may_enter(user)

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return self.get_all_permissions(user_obj, obj)

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        return set()

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not user_obj.is_active or obj is not None:
            return set()
        return set(ROLE_PERMISSIONS.get(user_obj.role, ()))

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return perm in self.get_all_permissions(user_obj, obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return any(perm.startswith(f"{app_label}.") for perm in self.get_all_permissions(user_obj))
