"""A partner that misbehaves on purpose: real sockets on the loopback, scripted by path.

::

    with Partner() as partner:
        partner.script("/air.csv", status(503), document(b"a,b\\n"))   # first a 503, from then on the document
        client.get(partner.url("/air.csv"))
        assert [request.header("range") for request in partner.requests] == ["", ""]

Each path has a list of behaviours; every request takes the next, the last one repeats. A behaviour is a function of a
:class:`~tests.partner.server.Talk`: it sees the request and sends whatever it likes, byte by byte if it wants to.
:mod:`tests.partner.behaviours` holds the usual ones. ``Partner(tls=...)`` speaks TLS with a context made by
:func:`~tests.partner.server.server_context`.
"""

from tests.partner.server import Partner, Talk, server_context

__all__ = ["Partner", "Talk", "server_context"]
