"""Two loads of one administration at once: the lock was lost with its connection, and the claim is what is left."""

from __future__ import annotations

from sluis.core import reasons
from sluis.core.invoice import Prepared, Result
from sluis.flows import sync
from sluis.flows.booking import Booker
from sluis.flows.booking_sending import Document
from sluis.flows.wiring import open_session
from sluis.transit.store import Transit
from tests.flows.world import NO_WAIT, World, hour


def test_a_claim_that_appeared_since_we_looked_is_never_created_over(world: World) -> None:
    world.orders(hour(0), 2)
    request = world.request()
    sync.extract(request)
    sync.transform(request)
    with open_session(world.merchant, world.code) as session:
        batch = Transit.batch_id(request.dag_id, request.run_id)
        _, decisions = next(iter(session.transit.read(batch, "transformed")))
        first = next(d for d in decisions if isinstance(d, Prepared))
        late, other = Booker(session, "late", settle=NO_WAIT), Booker(session, "other", settle=NO_WAIT)
        late.prefetch(decisions)
        other._sender._claim(Document(first.invoice, "invoice"))
        outcome = late.book(first)
    assert (outcome.result, outcome.reason) == (Result.DEFERRED, reasons.OUTCOME_UNKNOWN)
    assert late.must_retry
    assert world.server.state.ledger("460000000000000001").invoices == {}
    sync.shred(request)
    loaded = world.run()
    assert loaded is not None
    assert (loaded.booked, loaded.deferred) == (2, 0)
    assert len(world.server.state.ledger("460000000000000001").invoices) == 2
