"""A model field whose value is sealed at rest and opened only when somebody reads the attribute."""

from typing import Any

from django.core.exceptions import FieldError
from django.db import models

from vault import services
from vault.errors import SealedDataError, SealedFieldUpdateError


class Sealed:
    """Ciphertext as it stands in the database. Neither `str()` nor `repr()` shows it."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __repr__(self) -> str:
        return "<sealed>"

    def __bool__(self) -> bool:
        return bool(self.data)


class _Opener:
    """Descriptor: what stands in the row stays sealed until the attribute is read."""

    def __init__(self, field: "SealedTextField") -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if self.field.attname not in instance.__dict__:
            instance.refresh_from_db(fields=[self.field.attname])
        value = instance.__dict__[self.field.attname]
        return self.field.opened(instance, value) if isinstance(value, Sealed) else value

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class SealedTextField(models.Field):
    """Text sealed under the data key of `key_owner`, the name of a model property that gives a `vault.services.Owner`.

    The empty string is stored as NULL. `filter()` knows only `isnull`. `values()` gives `<sealed>` objects.
    """

    description = "Sealed text"

    def __init__(self, *args: Any, key_owner: str = "key_owner", **kwargs: Any) -> None:
        self.key_owner = key_owner
        kwargs["null"] = True
        kwargs.setdefault("blank", True)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if self.key_owner != "key_owner":
            kwargs["key_owner"] = self.key_owner
        return name, path, args, kwargs

    def get_internal_type(self) -> str:
        return "BinaryField"

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _Opener(self))

    def associated(self, instance: models.Model) -> str:
        return f"{self.model._meta.db_table}|{self.column}|{instance.pk}"

    def opened(self, instance: models.Model, value: Sealed) -> str:
        """Open one value. Raises SealedDataError."""
        try:
            return services.open_sealed(value.data, getattr(instance, self.key_owner), self.associated(instance)).decode()
        except UnicodeDecodeError:
            raise SealedDataError from None

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Sealed | None:
        return None if value is None else Sealed(bytes(value))

    def to_python(self, value: Any) -> Any:
        return value

    def pre_save(self, model_instance: models.Model, add: bool) -> Sealed | None:
        value = model_instance.__dict__.get(self.attname)
        if add and isinstance(value, Sealed):  # a copied instance: bound to the old row, it would never open again
            raise SealedFieldUpdateError(f"{self.model._meta.label}.{self.name} is sealed for another row: read it and set it anew")
        if value is None or isinstance(value, Sealed):
            return value
        if value == "":
            return None
        owner = getattr(model_instance, self.key_owner)
        return Sealed(services.seal(value.encode(), owner, self.associated(model_instance)))

    def get_prep_value(self, value: Any) -> Any:
        return value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        return self.get_db_prep_value(value, connection, prepared=True)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise SealedFieldUpdateError(f"{self.model._meta.label}.{self.name} can only be written by save() or bulk_create()")
        return connection.Database.Binary(value.data)

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is sealed: it can only be filtered by isnull")
        return super().get_lookup(lookup_name)

    def value_to_string(self, obj: models.Model) -> str:
        return "<sealed>"
