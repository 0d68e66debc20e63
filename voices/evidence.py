"""How operators see rows that are evidence: whole, but not to be edited or deleted by hand. Actions ask the services.

Lists stay flat however long they grow: rows are counted no further than they can be paged through, searched by what an index
knows (searching.py), and dates are a filter, for a date hierarchy reads the whole table to learn which years there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from voices import searching
from voices.asking import AskingAdmin
from voices.durable import DurableRow
from voices.errors import PortalError
from voices.exporting import csv_of
from voices.providers.errors import Act, ProviderError
from voices.tickets import ticket

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from voices.errors import Sentence

# Whom the error book calls "you" is somebody else here.
ACTS: Mapping[Act, Sentence] = {
    Act.USER: gettext_lazy("The user"),
    Act.OPERATOR: gettext_lazy("You, the operator"),
    Act.PROVIDER: gettext_lazy("The provider"),
}
MOST_COUNTED = 10_000
MOST_MESSAGES = 20


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counting a million rows takes longer than showing fifty; beyond `MOST_COUNTED` one searches or filters instead."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST_COUNTED].count())


class WhoMustActFilter(admin.SimpleListFilter):
    """Django would read the whole table to learn which values there are."""

    title = gettext_lazy("who must act")
    parameter_name = "error_action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(act.value, label) for act, label in ACTS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(error_action=self.value()) if self.value() else queryset


class EvidenceAdmin(AskingAdmin):
    """`csv_columns`: what a download of the list has, as `exporting.csv_of` takes it; none without."""

    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    change_list_template = "admin/list.html"
    csv_columns: Sequence[str] = ()
    csv_newest_by = "pk"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return searching.found(queryset, search_term, [str(name) for name in self.get_search_fields(request)]), False

    def get_urls(self) -> list[URLPattern]:
        name = admin_urlname(self.opts, "csv").removeprefix("admin:")  # type: ignore[arg-type]  # not only strings
        return [path("csv/", self.admin_site.admin_view(self.csv_view), name=name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        address = reverse(admin_urlname(self.opts, "csv")) if self.csv_columns else ""  # type: ignore[arg-type]
        shown = {
            "title": capfirst(str(self.opts.verbose_name_plural)),
            "csv_address": f"{address}?{request.GET.urlencode()}" if address else "",
        }
        return super().changelist_view(request, extra_context={**shown, **(extra_context or {})})

    def csv_view(self, request: HttpRequest) -> HttpResponse:
        """The list as it is filtered and searched, all of it."""
        if not self.csv_columns:
            raise Http404
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            raise Http404 from None
        name = f"{self.opts.model_name}-{timezone.localtime():%Y%m%d-%H%M%S}.csv"
        return csv_of(rows, self.csv_columns, newest_by=self.csv_newest_by, filename=name)  # type: ignore[return-value]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The list has actions, which need it; a row has no form."""
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def each_by_itself(
        self, request: HttpRequest, rows: Iterable[Any], act: Callable[[Any], object], *, done: str | _StrPromise
    ) -> None:
        """One row that refuses does not stop the others. Says in words what became of each; a success is also logged."""
        succeeded: list[str] = []
        refused: list[str] = []
        for row in rows:
            try:
                act(row)
            except (PortalError, ProviderError) as error:
                refused.append(_("“%(row)s”: %(why)s") % {"row": row, "why": error.sentence})
            else:
                succeeded.append(str(row))
                self.log_change(request, row, str(done))
        for sentence in refused[:MOST_MESSAGES]:
            self.message_user(request, sentence, messages.WARNING)
        if (more := len(refused) - MOST_MESSAGES) > 0:
            sentence = ngettext("%(more)d more was refused.", "%(more)d more were refused.", more) % {"more": more}
            self.message_user(request, sentence, messages.WARNING)
        if succeeded:
            named = ", ".join(succeeded[:MOST_MESSAGES]) + (" …" if len(succeeded) > MOST_MESSAGES else "")
            self.message_user(request, f"{done} ({len(succeeded)}: {named})", messages.SUCCESS)


def ticket_field(row: DurableRow) -> str:
    """What support asks for, to be copied as it stands; a dash where nothing went wrong."""
    return format_html('<pre class="ticket">{}</pre>', ticket(row)) if row.error_code else "-"


class EvidenceInline(admin.TabularInline):  # type: ignore[type-arg]
    extra = 0
    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return self.fields or []

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
