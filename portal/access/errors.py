"""Every error of the door, drawn as one tree.

::

    AccessError
    ├── LoginRefused      wrong account, password or code, or one that is disabled: one sentence for all of them
    ├── MustWait          too many failures; ``until`` says how long
    ├── DoorBusy          too many logins at this moment
    ├── PasswordRefused   the new password does not fit the rules
    ├── RolesRefused      a role nobody knows, or two that exclude each other
    ├── AccountRefused    the login, name or bureau of an account does not fit, or nobody has this login
    ├── FactorRefused     a second factor cannot be enrolled, or its first code is wrong
    └── KeyRefused        an API key cannot be issued so, or there is none of this number
"""

from __future__ import annotations

from datetime import datetime

from records.errors import TwoTongued


class AccessError(TwoTongued):
    """An error of the door."""

    code = "access"


class LoginRefused(AccessError):
    """Wrong account, password or code, or a disabled account; nobody is told which."""

    code = "login-refused"


class MustWait(AccessError):
    """Too many failures: the next try is looked at from ``until`` on."""

    code = "login-wait"

    def __init__(self, message: str, message_en: str, until: datetime) -> None:
        super().__init__(message, message_en)
        self.until = until


class DoorBusy(AccessError):
    """Too many logins at this moment."""

    code = "login-busy"


class PasswordRefused(AccessError):
    """The new password does not fit the rules."""

    code = "password-refused"


class RolesRefused(AccessError):
    """A role nobody knows, or two that exclude each other."""

    code = "roles-refused"


class AccountRefused(AccessError):
    """The login, name or bureau of an account does not fit, or nobody has this login."""

    code = "account-refused"


class FactorRefused(AccessError):
    """A second factor cannot be enrolled, or its first code is wrong."""

    code = "factor-refused"


class KeyRefused(AccessError):
    """An API key cannot be issued so, or there is none of this number."""

    code = "key-refused"
