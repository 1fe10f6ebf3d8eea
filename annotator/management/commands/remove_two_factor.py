from __future__ import annotations

from annotator.accounts.administration import remove_two_factor
from annotator.management.account_command import AccountCommand


class Command(AccountCommand):
    help = "Let a user sign in without a second factor that is lost, where no administrator can."
    act = staticmethod(remove_two_factor)
    done = "signs in by password alone"
