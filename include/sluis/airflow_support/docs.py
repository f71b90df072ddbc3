"""The texts our DAGs show in Airflow: what each does and what to do when it is red."""

from __future__ import annotations

_TEXT = """\
### Orders of `{shop}` to `{package}`

Integration `{code}` of merchant `{merchant}`, every {minutes} minutes. **extract** reads what changed in the shop since
the watermark, **transform** makes invoices and credit notes of it, **load** books each of them once, **shred** deletes
the orders from transit. **verdict** runs nothing: it carries load's result into the state of the run, which would
otherwise be shred's alone. Every task's XCom `{key}` holds its counts and cents.

A run that finds nothing new ends green after extract. Booking is idempotent: running, clearing or backfilling again
never books twice, and clearing any task after extract runs the whole chain again (the orders are shredded by then).

At the end of a month (and quarter) **reconcile** holds shop, sluis and package against each other; all other runs skip
it.

### When it is red

The task's log ends with one line `[code] what is wrong, where, and what to do`. Its class names the next action:

| Class | What happened | What to do |
| --- | --- | --- |
| `RetryLater`, `QuotaSpent`, `OutcomeUnknown` | shop or package gave no answer, or its quota is spent; tried again \
already | nothing, the next run closes the gap; red for hours: look at the vendor's status page |
| `Reconnect` | the credential was refused; scheduled runs call no vendor until it is renewed | let the merchant \
renew it, then `sluis integration reconnect {merchant} {code}` |
| `Refused` | never turns a run red: that document waits in quarantine, the others went on | \
`sluis quarantine list --merchant {merchant}`, solve the reason, `sluis quarantine offer {merchant} {code}` |
| `NotConfigured` | a setting or mapping is missing; the line names it | `sluis integration check {merchant} {code}`, \
fill it in, clear the run |
| `ProofFailed` | counts or cents do not add up; the watermark did not move | do not mark it successful: clear it \
once, and call an engineer when it fails again |
| `TransitLost` | the orders are not in transit any more | clear the run from extract on (not *only failed*: \
that takes load alone) |
| `Defect`, `unexpected` | our mistake | an engineer; the line names the places in the code |

A red **reconcile** that names open differences wants a person: `docs/runbooks/reconcile.md`. Clearing it compares again
only what no run has told of yet.

Runs with a red **shred** left orders in transit, encrypted: clear shred. What is left for 24 hours is deleted by the
next run of any DAG of `{merchant}`, so not while they are all paused or away. Never pause this DAG to stop it: a pause
stops a run halfway. Use `sluis integration pause {merchant} {code}`.

To read single orders again: trigger with `order_ids`. For a past period: a backfill of its days.
More: `docs/runbooks/sync.md`.
"""

_RETENTION = """\
### What has expired goes

Every night, by `config/register.yaml`: **plan** counts per category what has expired now and stores the plan, **holds**
takes out what is held, **guard** lets the plan through or leaves it waiting for a person, **delete** deletes it
physically, **prove** counts again and finds nothing, **certificate** adds a link to the chain that
`sluis retention verify` checks. Every log has a line per category: cutoff, counts, holds. The XCom `{key}` holds the
run's number, counts and dates.

It runs beside syncs and stops none. Killed anywhere, it goes on where it was; a day that was missed is in the next
plan. By hand: for one `merchant`, one `category`, as a `dry_run` (the log of plan tells exactly what would go; the
tasks after holds are skipped), or with `confirm`, the whole hash of a plan that waits, and nothing else.

### When it is red

The task's log ends with one line `[code] what is wrong, where, and what to do`.

| Task, code | What happened | What to do |
| --- | --- | --- |
| guard: `plan_too_large`, `clock_suspicious` | nothing was deleted: the plan is far larger than ever, or the clock is \
strange; it waits | look why (`sluis retention list`, `sluis retention show <run>`); if it is right, confirm it with \
the line in the log |
| plan: `register_wrong`, `deleter_missing`, `register_table` | the register cannot be carried out; nothing was \
deleted | correct it (`sluis register check`), clear plan |
| prove: `retention_left` | something is left | do not mark it successful: an engineer, with the line |
| any: `database_away`, `airflow_database_away` | a database does not answer; tried again already | see to it; the \
next run catches up |
| delete: `retention_busy` | locks were busy, or `sluis retention run` is at work | nothing: the next run finishes it |
| any: `not_configured`, `root_missing` | an address or a folder is not set; the line names it | set it, clear the \
task |

More: `docs/runbooks/retention.md`.
"""

_STATISTICS = """\
### Anonymous figures on revenue and VAT

On the 15th after each quarter: **freeze** closes the quarter (what comes later counts in the next one), **release**
builds the fixed plan of tables, hides what is unsafe and what would give it away, lets every attacker try, has the
release judged and publishes it, and **verify** reads back what stands: the whole chain of hashes, every published
figure counted again and every attack made again. All figures stay inside one process; the XCom `{key}` holds numbers,
dates and the hash of the release.

A release is never changed and never made again: run again for the same quarter, it is shown and verified. What cannot
be made safe is not published: the plan shrinks (all tables, one-way tables, the total, nothing); fewer than ten
enterprises publish "too few". By hand: with `quarter`, as in 2026-Q3.

See it: `sluis statistics list`, `sluis statistics show <number>`, `sluis statistics audit <number>`.

### When it is red

The task's log ends with one line `[code] what is wrong, where, and what to do`.

| Task, code | What happened | What to do |
| --- | --- | --- |
| freeze: `quarter_running`, `quarter_past` | the quarter is not over, or a later one is closed already | give another \
quarter, or none |
| release: `input_changed` | a merchant objected while it was counted; nothing was published | clear release with what \
follows |
| release, verify: `ledger_broken` | a release was altered or removed | an engineer, before anything else |
| release: `release_unsafe`, `cell_unsafe`, `release_refused` | our audit refused what our search had made; nothing \
was published | an engineer, with the line |
| verify: `release_wrong` | what is published is not what its input says, or an attacker comes too close | an engineer \
at once, before anybody cites it |
| any: `database_away`, `not_configured` | the store does not answer, or `SLUIS_STATISTICS_DATABASE_URL` is not set | \
see to it, clear the task |

More: `docs/runbooks/statistics.md`, and how nobody can be worked out: `docs/reference/statistics.md`.
"""


def statistics_doc(*, key: str) -> str:
    """Return the ``doc_md`` of the DAG that publishes the statistics."""
    return _STATISTICS.format(key=key)


def retention_doc(*, key: str) -> str:
    """Return the ``doc_md`` of the DAG that deletes."""
    return _RETENTION.format(key=key)


def sync_doc(*, merchant: str, code: str, shop: str, package: str, minutes: int, key: str) -> str:
    """Return the ``doc_md`` of one integration's DAG."""
    return _TEXT.format(merchant=merchant, code=code, shop=shop, package=package, minutes=minutes, key=key)
