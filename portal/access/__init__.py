"""Who may: accounts, logins, sessions, keys and permissions of the portal; no HTTP in it.

::

    open_gate(places, records) -> Gate                                      gate.py, one for all threads
    sign_in(gate, login, password, at, address=, agent=, replaces=)         login.py -> SignedIn
    pass_code(gate, token, code, at)                                        login.py -> SignedIn, a new token
    change_password(gate, token, old, new, at)                              login.py -> SignedIn, a new token
    sign_out(gate, token, at)                                               login.py
    caller_of(gate, token, at) -> Caller | None                             sessions.py, on every request
    open_sessions / end_session / end_others (gate, caller, ...)            sessions.py
    caller_of_key(gate, text, at) -> Caller | None                          keys.py
    issue_key(gate, account_id, title, scopes, expires_at, by, at)          keys.py -> IssuedKey
    allowed(caller, permission, owner=None) -> Decision                     caller.py, closed by default
    may_approve(caller, submitted_by) -> Decision                           caller.py, nobody approves his own
    begin_enrolment(gate, token, password, at) -> Enrolment                 second_factor.py, nothing kept yet
    confirm_enrolment(gate, token, offer, code, at) -> Enrolled             second_factor.py, a new token
    renew_recovery_codes(gate, token, password, at)                         second_factor.py
    add / disable / enable / reset / set_roles (gate, login, ..., by, at)   accounts.py

``SignedIn.step`` and ``Caller.step`` say what a login still misses: ``code``, ``change`` or nothing. What is refused is an
:class:`portal.access.errors.AccessError` with the words for both languages; ``MustWait.until`` says how long.
"""
