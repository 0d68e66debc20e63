"""/api/v1/quota for everybody, /api/v1/operate/… for staff. What a limit may be is for `plans.py` to say."""

from __future__ import annotations

import uuid

from django.contrib.auth import get_user_model
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voices import plans, standing
from voices.models import Allowance, Budget, Owner, Plan, ProviderAccount
from voices.once import IDEMPOTENCY_KEY, once
from voices.quota_serializers import (
    AccountLimitsSerializer,
    EmailSerializer,
    LimitsSerializer,
    PersonLimitsSerializer,
    PersonSerializer,
    PlanSerializer,
    QuotaSerializer,
)
from voices.serializers import checked

OPERATE = "operate"


class QuotaView(APIView):
    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="quota",
        summary=_("What you may use, and what is left of it"),
        description=_(
            "Trainings and characters are counted by the month of the site's time zone. `token`: what the token that asks has "
            "used itself, and may by its own budget."
        ),
        responses=QuotaSerializer,
    )
    def get(self, request: Request) -> Response:
        token = request.auth
        body = {
            "plan": plans.plan_of(request.user).name,
            "meters": standing.of_person(request.user),
            "token": standing.of_tokens([token])[token.pk] if isinstance(token, Budget) else None,
        }
        return Response(QuotaSerializer(body).data)


class PeopleView(APIView):
    required_scopes = {"GET": OPERATE}

    @extend_schema(
        operation_id="operate_users",
        summary=_("Find somebody by e-mail"),
        parameters=[EmailSerializer],
        responses=PersonSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        email = checked(EmailSerializer, request.query_params)["email"].strip()
        return Response(PersonSerializer(get_user_model().objects.filter(email__iexact=email), many=True).data)


class PersonLimitsView(APIView):
    required_scopes = {"GET": OPERATE, "PATCH": OPERATE}

    @extend_schema(
        operation_id="operate_limits_read", summary=_("See somebody's limits"), responses=PersonLimitsSerializer
    )
    def get(self, request: Request, pk: int) -> Response:
        return self._shown(get_object_or_404(get_user_model(), pk=pk))

    @extend_schema(
        operation_id="operate_limits_change",
        summary=_("Change somebody's plan or single limits"),
        description=_(
            "What is left out stays; null gives a limit back to the plan. In force at once, and kept in the audit."
        ),
        request=LimitsSerializer,
        responses=PersonLimitsSerializer,
    )
    def patch(self, request: Request, pk: int) -> Response:
        person = get_object_or_404(get_user_model(), pk=pk)
        plans.change_allowance(person, by=request.user, **checked(LimitsSerializer, request.data))
        return self._shown(person)

    def _shown(self, person: Owner) -> Response:
        allowance = Allowance.objects.filter(user=person).first() or Allowance(user=person)
        return Response(PersonLimitsSerializer(allowance).data)


class PlansView(APIView):
    required_scopes = {"GET": OPERATE, "POST": OPERATE}

    @extend_schema(operation_id="operate_plans_list", summary=_("List the plans"), responses=PlanSerializer(many=True))
    def get(self, request: Request) -> Response:
        return Response(PlanSerializer(Plan.objects.all(), many=True).data)

    @extend_schema(
        operation_id="operate_plans_create",
        summary=_("Add a plan"),
        request=PlanSerializer,
        parameters=[IDEMPOTENCY_KEY],
        responses={201: PlanSerializer},
    )
    def post(self, request: Request) -> HttpResponseBase:
        def act(_pk: uuid.UUID) -> Response:
            wanted = checked(PlanSerializer, request.data)
            return Response(PlanSerializer(plans.change_plan(Plan(), by=request.user, **wanted)).data, status=201)

        return once(request, act, in_one=True)


class PlanView(APIView):
    required_scopes = {"PATCH": OPERATE}

    @extend_schema(
        operation_id="operate_plans_change",
        summary=_("Change a plan"),
        description=_("In force at once, for everybody who has it."),
        request=PlanSerializer(partial=True),
        responses=PlanSerializer,
    )
    def patch(self, request: Request, pk: int) -> Response:
        plan = get_object_or_404(Plan, pk=pk)
        body = PlanSerializer(plan, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        return Response(PlanSerializer(plans.change_plan(plan, by=request.user, **body.validated_data)).data)


class AccountsView(APIView):
    required_scopes = {"GET": OPERATE}

    @extend_schema(
        operation_id="operate_accounts_list",
        summary=_("List the provider accounts with their limits and what they have used today"),
        responses=AccountLimitsSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        accounts = list(ProviderAccount.objects.order_by("pk"))
        readings = standing.of_accounts(accounts)
        return Response(AccountLimitsSerializer(accounts, many=True, context={"readings": readings}).data)


class AccountView(APIView):
    required_scopes = {"PATCH": OPERATE}

    @extend_schema(
        operation_id="operate_accounts_change",
        summary=_("Change the limits and prices of a provider account"),
        request=AccountLimitsSerializer(partial=True),
        responses=AccountLimitsSerializer,
    )
    def patch(self, request: Request, pk: int) -> Response:
        account = get_object_or_404(ProviderAccount, pk=pk)
        body = AccountLimitsSerializer(account, data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        changed = plans.change_account(account, by=request.user, **body.validated_data)
        readings = standing.of_accounts([changed])
        return Response(AccountLimitsSerializer(changed, context={"readings": readings}).data)
