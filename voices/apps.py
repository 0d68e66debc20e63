from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _

from voices.checks import prices, queue_names, sample_url_seconds, sample_urls


class VoicesConfig(AppConfig):
    name = "voices"
    verbose_name = _("Voices")

    def ready(self) -> None:
        register(prices)
        register(queue_names)
        register(sample_url_seconds)
        register(sample_urls)
