"""One authority for `has_perm()`: web pages, templates, the API and every ModelAdmin get the same answer."""

from typing import Any

from django.contrib.auth.backends import BaseBackend

from accounts.roles import ROLE_PERMISSIONS


class RoleBackend(BaseBackend):
    """Permissions follow from the user's one role, read anew with the user on every request. No superuser bypass."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if not user_obj.is_active or obj is not None:
            return set()
        return set(ROLE_PERMISSIONS.get(user_obj.role, ()))

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return user_obj.is_active and obj is None and perm in ROLE_PERMISSIONS.get(user_obj.role, ())

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return user_obj.is_active and any(
            perm.startswith(f"{app_label}.") for perm in ROLE_PERMISSIONS.get(user_obj.role, ())
        )
