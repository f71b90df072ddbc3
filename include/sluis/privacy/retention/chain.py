"""The chain of certificates: what retention deleted, so that any edit breaks it. Counts, cutoffs, hashes; no person.

``hash`` = SHA-256 over the canonical JSON (``core.canonical``) of the certificate, the fields of ``Certificate`` by
name, ``previous_hash`` included and ``hash`` left out. The first one follows 64 zeros. Its head is signed
(``checkpoints``), and every run of retention that is certified must have its certificate: so a chain that was edited,
filled in, cut off at its end or emptied does not verify, as long as its signed head is there. The role that deletes
can neither delete that nor put an older one in its place. The database's owner can: a chain of which he took away
every certificate, checkpoint and run begins anew, and is not signed before a person looked at it (``RESTARTED``). What
nobody can see from inside is a whole database put back to an earlier day, the counter of runs with it: against that an
auditor notes sequence and hash of the head (it stands in the task's log), and gives them to ``verify``.
docs/decisions/0015 has the whole list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from sluis.core.canonical import canonical_hash
from sluis.core.frozen import Frozen, Moment
from sluis.privacy.keyring import Keyring
from sluis.privacy.retention import checkpoints
from sluis.privacy.retention.checkpoints import Checkpoint
from sluis.store.database import Connection, row, rows

NO_HASH = "0" * 64
#: What is said of links behind the last one that was signed.
UNSIGNED = ("was not signed", "and what follows it was not signed")
#: What is said of a first certificate without a signature, when numbers of runs were given out before its run of which
#: nothing is left. A run that was killed while it was planned leaves such a number too, so a person decides.
RESTARTED = "begins the chain, and of runs of retention before it there is no record"
#: Findings of one kind that are named one by one: a forged sequence must not fill the memory.
_MOST = 20


class Deletion(Frozen):
    """One category's part of a run: per table or place how much had expired before and after, and what went."""

    category: str
    cutoff: Moment | None  #: what was older has gone; ``None``: by the contract's end alone
    before: Mapping[str, int] = {}  #: expired when it was planned
    deleted: Mapping[str, int] = {}
    after: Mapping[str, int] = {}  #: expired when it was proved; a place that is not in it was not counted


class ProvedRun(Frozen):
    """A run of retention whose deletions were proved, as its certificate tells of it. Hashes in lower-case hex."""

    id: int
    dag_run_id: str
    merchant: str | None
    register_version: int
    register_hash: str
    plan_hash: str
    deletions: tuple[Deletion, ...]
    holds: int  #: how many holds kept something back, of those in force when it was proved


class Certificate(Frozen):
    """A link of the chain."""

    sequence: int
    retention_run: int
    made_at: Moment
    dag_run_id: str
    merchant: str | None
    register_version: int
    register_hash: str
    plan_hash: str
    code_version: str
    deletions: tuple[Deletion, ...]
    holds: int  #: how many kept something back, of those in force when it was proved
    backups_gone_on: date | None  #: day on which the last backup with the data expires; ``None``: there are no backups
    previous_hash: str
    hash: str = ""


class Finding(NamedTuple):
    """What does not hold, and at which certificate."""

    sequence: int
    what: str


class Verified(Frozen):
    """What ``verify`` found; the chain holds when it found nothing."""

    certificates: int
    first: int | None
    last: int | None
    head: str | None  #: hash of the last certificate, also when all were dropped
    dropped: int  #: how many were dropped after their period
    keys: tuple[str, ...]  #: public keys under which the checkpoints were signed
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


_COLUMNS = """sequence, retention_run_id as retention_run, made_at, dag_run_id, merchant_code as merchant,
    register_version, encode(register_hash, 'hex') as register_hash, encode(plan_hash, 'hex') as plan_hash,
    code_version, deletions, holds, backups_gone_on, encode(previous_hash, 'hex') as previous_hash,
    encode(hash, 'hex') as hash"""


def of_run(conn: Connection, run: int) -> Certificate | None:
    """Return the certificate of a run of retention, ``None`` when it has none (yet, or any more)."""
    found = row(conn, f"select {_COLUMNS} from sluis.deletion_certificate where retention_run_id = %s", [run])  # noqa: S608
    return None if found is None else Certificate(**found)


def listing(conn: Connection, limit: int = 50) -> list[Certificate]:
    """Return the latest certificates, the newest first."""
    query = f"select {_COLUMNS} from sluis.deletion_certificate order by sequence desc limit %s"  # noqa: S608
    return [Certificate(**values) for values in rows(conn, query, [limit])]


def certificate_hash(certificate: Certificate) -> str:
    """Return the SHA-256 (hex) of a certificate as the module's docstring defines it."""
    return canonical_hash(certificate.model_dump(mode="python", exclude={"hash"}))


def verify(
    conn: Connection,
    *,
    keyring: Keyring | None = None,
    noted: Collection[str] = (),
    head: tuple[int, str] | None = None,
) -> Verified:
    """Check every certificate, the chain's two ends and the runs; returns all that is wrong, in order.

    Trusted are the keys of ``keyring`` and the public keys that were ``noted`` (hex); ``head`` is the sequence and hash
    of a certificate as somebody noted them before.
    """
    trusted = checkpoints.public_keys(keyring, noted)
    alone = conn.info.transaction_status.name == "IDLE"
    with conn.transaction():
        if alone:  # one picture of all tables; inside a transaction its beginner decides
            conn.execute("set transaction isolation level repeatable read")
        return verified(conn, trusted, head)


class Chain(NamedTuple):
    """Everything that is stored of the chain, in one picture."""

    links: list[Certificate]
    signed: list[Checkpoint]
    head: Checkpoint | None
    dropped: Checkpoint | None


def read_chain(conn: Connection) -> Chain:
    """Read all that is stored of the chain."""
    query = f"select {_COLUMNS} from sluis.deletion_certificate order by sequence"  # noqa: S608
    signed = checkpoints.stored(conn)
    kinds = {checkpoint.kind: checkpoint for checkpoint in signed}
    return Chain([Certificate(**v) for v in rows(conn, query)], signed, kinds.get("head"), kinds.get("dropped"))


def verified(conn: Connection, trusted: Collection[str], noted: tuple[int, str] | None = None) -> Verified:
    """Do what ``verify`` does, with what the transaction at hand sees."""
    chain = read_chain(conn)
    findings = [
        *_links(chain.links),
        *_start(chain),
        *_signed(chain, trusted),
        *_end(chain),
        *restarted(conn, chain),
        *_runs(conn, chain),
        *_as_noted(chain, noted),
    ]
    last = chain.links[-1] if chain.links else chain.dropped
    return Verified(
        certificates=len(chain.links),
        first=chain.links[0].sequence if chain.links else None,
        last=last.sequence if last else None,
        head=last.hash if last else None,
        dropped=chain.dropped.sequence if chain.dropped else 0,
        keys=tuple(sorted({checkpoint.public_key for checkpoint in chain.signed})),
        findings=tuple(sorted(set(findings))),
    )


def _links(links: list[Certificate]) -> list[Finding]:
    """Each link by itself, and that each follows the one before it."""
    found = [
        Finding(link.sequence, f"(retention run {link.retention_run}) was altered")
        for link in links
        if certificate_hash(link) != link.hash
    ]
    for before, link in pairwise(links):
        missing = range(before.sequence + 1, link.sequence)
        found += [Finding(sequence, "is missing") for sequence in missing[:_MOST]]
        if not missing and link.previous_hash != before.hash:
            found.append(Finding(link.sequence, "does not follow the one before it"))
    return found


def _start(chain: Chain) -> list[Finding]:
    """The first link kept starts the chain, or follows the last one that was dropped."""
    if not chain.links:
        return []
    first = chain.links[0]
    before, hash_ = (chain.dropped.sequence, chain.dropped.hash) if chain.dropped else (0, NO_HASH)
    if first.sequence != before + 1:
        missing = range(before + 1, first.sequence) or [first.sequence]
        what = "is missing" if first.sequence > before else "was dropped, and is there"
        return [Finding(sequence, what) for sequence in missing[:_MOST]]
    return [] if first.previous_hash == hash_ else [Finding(first.sequence, "does not follow what was before it")]


def _signed(chain: Chain, trusted: Collection[str]) -> list[Finding]:
    """Each checkpoint: whose it is, and whether it says what stands there."""
    hashes = {link.sequence: link.hash for link in chain.links}
    found = []
    for checkpoint in chain.signed:
        sequence = checkpoint.sequence
        if not checkpoint.genuine:
            found.append(Finding(sequence, "has a checkpoint whose signature is wrong"))
        elif checkpoint.public_key not in trusted:
            key = checkpoint.public_key
            found.append(Finding(sequence, f"has a checkpoint signed by a key that is none of ours: {key}"))
        if hashes.get(sequence, checkpoint.hash) != checkpoint.hash:
            found.append(Finding(sequence, "is not the one that was signed"))
    return found


def _end(chain: Chain) -> list[Finding]:
    """The last link, or the last one dropped where none is left, is the one that was signed as the head."""
    dropped = chain.dropped.sequence if chain.dropped else 0
    last = chain.links[-1].sequence if chain.links else dropped
    head = chain.head.sequence if chain.head else dropped
    if chain.dropped and not chain.head:  # nothing is dropped before a head was signed, and a head is never deleted
        return [Finding(dropped, "was dropped, and the signed head of the chain is missing")]
    if last > head:
        return [Finding(head + 1, UNSIGNED[last > head + 1])]
    return [Finding(sequence, "is missing") for sequence in range(last + 1, head + 1)[:_MOST]]


def restarted(conn: Connection, chain: Chain) -> list[Finding]:
    """Return a finding for a chain without any signature that begins behind runs of which there is no record."""
    if chain.signed or not chain.links:
        return []
    first = chain.links[0]
    found = row(conn, "select count(*) as there from sluis.retention_run where id < %s", [first.retention_run])
    whole = found is not None and found["there"] >= first.retention_run - 1
    return [] if whole else [Finding(first.sequence, RESTARTED)]


def _runs(conn: Connection, chain: Chain) -> list[Finding]:
    """Every run that was certified since the last one dropped has its certificate, about that run's plan."""
    runs = rows(
        conn,
        """select id, encode(plan_hash, 'hex') as plan_hash, encode(register_hash, 'hex') as register_hash, state,
        ended_at from sluis.retention_run order by id""",
    )
    by_run = {link.retention_run: link for link in chain.links}
    next_one = max([c.sequence for c in chain.signed] + [link.sequence for link in chain.links], default=0) + 1
    found = []
    for run in runs:
        link, ended = by_run.get(run["id"]), run["ended_at"]
        if link is None:
            gone = chain.dropped is not None and ended is not None and ended <= chain.dropped.certified_at
            if run["state"] == "certified" and not gone:
                found.append(Finding(next_one, f"of retention run {run['id']} is missing"))
        elif (link.plan_hash, link.register_hash) != (run["plan_hash"], run["register_hash"]):
            found.append(Finding(link.sequence, f"does not fit the plan of retention run {run['id']}"))
        elif run["state"] != "certified":
            found.append(Finding(link.sequence, f"is of retention run {run['id']}, which was not certified"))
    return found


def _as_noted(chain: Chain, noted: tuple[int, str] | None) -> list[Finding]:
    """A certificate that somebody noted stands as he noted it, unless it was dropped since."""
    if noted is None:
        return []
    sequence, hash_ = noted
    known = {c.sequence: c.hash for c in chain.signed} | {link.sequence: link.hash for link in chain.links}
    if sequence in known:
        return [] if known[sequence] == hash_.lower() else [Finding(sequence, "is not the one that was noted")]
    gone = chain.dropped is not None and sequence < chain.dropped.sequence
    return [] if gone else [Finding(sequence, "was noted and is missing")]
