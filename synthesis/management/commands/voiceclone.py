"""`manage.py voiceclone train get-text|create|upload|submit|status|quick`, `synth` and `import`.

Works with the provider's account that the environment describes (or the sandbox's), or with --user through the portal's records.
Results go to stdout, words to stderr; how it ends is in `management/voiceclone/exits.py`.
"""

from __future__ import annotations

import os
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import translation
from django.utils.translation import gettext as _

from synthesis.management.voiceclone.asked import add_verbs
from synthesis.management.voiceclone.direct import direct
from synthesis.management.voiceclone.exits import Ended, Exit, exit_of
from synthesis.management.voiceclone.records import records
from synthesis.management.voiceclone.saying import Output
from voices.errors import PortalError
from voices.providers.errors import ConfigurationError, ProviderError

VERBS = {"synth": "synth", "import": "take"}


class Command(BaseCommand):
    help = "Make voices and speak with them from the command line."
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, epilog=f"exit status: {Exit.__doc__}", formatter_class=RawDescriptionHelpFormatter
        )

    def add_arguments(self, parser: CommandParser) -> None:
        add_verbs(parser)

    def handle(self, *args: Any, **asked: Any) -> None:
        with translation.override(_language()):
            code = self._done(asked)
        if code is not Exit.OK:
            raise SystemExit(int(code))

    def _done(self, asked: dict[str, Any]) -> Exit:
        says = Output(out=self.stdout, err=self.stderr, as_json=asked["json"])
        verb = VERBS.get(asked["verb"]) or str(asked["step"]).replace("-", "_")
        try:
            way = records(asked, says) if asked["user"] else direct(asked, says)
            getattr(way, verb)()
        except Ended as ended:
            says.tell(f"voiceclone: {ended}")
            return ended.code
        except (ProviderError, PortalError, ConfigurationError) as error:
            says.failed(error)
            code = exit_of(error)
            if code is Exit.UNKNOWN:
                says.tell(
                    _("Nothing is sent again. Look with `train status` before you repeat this: it may have been paid.")
                )
            return code
        except KeyboardInterrupt:
            says.tell(_("Interrupted. A training that has begun goes on at the provider; `train status` tells."))
            return Exit.INTERRUPTED
        return Exit.OK


def _language() -> str:
    """Of the words on stderr: Chinese where the shell is, English everywhere else."""
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return "zh-hans" if named.lower().startswith("zh") else "en"
