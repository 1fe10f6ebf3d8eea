from __future__ import annotations

from annotator.accounts.administration import make_administrator
from annotator.management.account_command import AccountCommand


class Command(AccountCommand):
    help = "Let a user administer the installation, where no administrator can: the audit chain says that it was done."
    act = staticmethod(make_administrator)
    done = "is an administrator"
