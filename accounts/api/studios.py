"""One's studios and who belongs to them; `accounts.studio_roles` says who may do what."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aaperture.lib.api.answers import plain
from aaperture.lib.api.errors import Conflict
from aaperture.lib.api.pagination import NumberedPages
from aaperture.lib.api.serializers import Strict
from aaperture.lib.api.views import ApiView
from accounts.api.users import actor_of
from accounts.models import Membership, User
from accounts.services import studios
from accounts.studio_roles import require


class StudioSerializer(serializers.Serializer):
    id = serializers.UUIDField(source="organization.pk")
    name = serializers.CharField(source="organization.name")
    role = serializers.CharField(help_text="Yours there.")
    joined_at = serializers.DateTimeField()


class StudioChanges(Strict):
    name = serializers.CharField(max_length=150)


class MemberSerializer(serializers.Serializer):
    id = serializers.UUIDField(help_text="Of the membership.")
    user = serializers.UUIDField(source="user_id")
    name = serializers.CharField(source="user.name")
    email = serializers.EmailField(source="user.email")
    role = serializers.CharField()
    joined_at = serializers.DateTimeField()


class MemberChanges(Strict):
    role = serializers.ChoiceField(choices=Membership.Role.values)


def own_membership(user: User, studio: UUID) -> Membership:
    found = Membership.objects.of(user).filter(organization_id=studio).first()
    if found is None:
        raise Http404
    return found


class Studios(ApiView):
    serializer_class = StudioSerializer
    pagination_class = NumberedPages

    @extend_schema(responses=StudioSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The studios you belong to, the one in use first."""
        return self.listed(Membership.objects.of(actor_of(request)))


class StudioDetail(ApiView):
    serializer_class = StudioSerializer

    def get(self, request: Request, pk: UUID) -> Response:
        """One of your studios."""
        return Response(StudioSerializer(own_membership(actor_of(request), pk)).data)

    @extend_schema(request=StudioChanges, responses=StudioSerializer)
    def patch(self, request: Request, pk: UUID) -> Response:
        """Rename it."""
        user = actor_of(request)
        membership = own_membership(user, pk)
        name = self.validated(request, StudioChanges)["name"]
        studios.rename_organization(membership.organization, name=name, actor=user, request=plain(request))
        return Response(StudioSerializer(own_membership(user, pk)).data)


class Members(ApiView):
    serializer_class = MemberSerializer
    pagination_class = NumberedPages

    @extend_schema(responses=MemberSerializer(many=True))
    def get(self, request: Request, pk: UUID) -> Response:
        """Who belongs to one of your studios."""
        user = actor_of(request)
        studio = require(user, own_membership(user, pk).organization, "members.view").organization
        return self.listed(Membership.objects.in_order().filter(organization=studio))


class MemberDetail(ApiView):
    serializer_class = MemberSerializer
    answers = (409,)

    def member(self, request: Request, pk: UUID, member: UUID) -> Membership:
        studio = own_membership(actor_of(request), pk).organization
        found = Membership.objects.in_order().select_related("organization").filter(organization=studio, pk=member).first()
        if found is None:
            raise Http404
        return found

    def get(self, request: Request, pk: UUID, member: UUID) -> Response:
        """One member of one of your studios."""
        return Response(MemberSerializer(self.member(request, pk, member)).data)

    @extend_schema(request=MemberChanges, responses=MemberSerializer)
    def patch(self, request: Request, pk: UUID, member: UUID) -> Response:
        """Give them another role there. Making an owner needs a step-up."""
        found = self.member(request, pk, member)
        role = self.validated(request, MemberChanges)["role"]
        try:
            changed = studios.change_member_role(found, role=role, actor=actor_of(request), request=plain(request))
        except ValidationError as error:
            raise Conflict(error.messages[0], code=error.code) from None
        return Response(MemberSerializer(changed).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: UUID, member: UUID) -> Response:
        """End their place there; your own, too."""
        found, user = self.member(request, pk, member), actor_of(request)
        try:
            if found.user_id == user.pk:
                studios.leave(found, request=plain(request))
            else:
                studios.remove_member(found, actor=user, request=plain(request))
        except ValidationError as error:
            raise Conflict(error.messages[0], code=error.code) from None
        return Response(status=204)
