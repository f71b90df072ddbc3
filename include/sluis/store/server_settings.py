"""What a PostgreSQL server must be told so that its log holds no value of a row.

Left alone it writes the statement that failed, with its values, and a DETAIL line with the key that was there already
(knowledge/plumbing.md). Our own server (``store.server``) is started with these settings; a server of somebody else's
is asked.
"""

from __future__ import annotations

from typing import NamedTuple

from sluis.store.database import Connection, rows

#: Setting -> what it may be, the first being ours; what its other values put into the log.
_SILENT: dict[str, tuple[frozenset[str], str, str]] = {
    "log_error_verbosity": (frozenset({"terse"}), "terse", "the DETAIL line of an error, which quotes the row"),
    "log_min_error_statement": (frozenset({"panic", "fatal"}), "panic", "the statement that failed"),
    "log_statement": (frozenset({"none"}), "none", "every statement of its kind"),
    "log_min_duration_statement": (frozenset({"-1"}), "-1", "slow statements"),
    "log_min_duration_sample": (frozenset({"-1"}), "-1", "a sample of slow statements"),
    "log_transaction_sample_rate": (frozenset({"0"}), "0", "all statements of a sample of transactions"),
    "log_parameter_max_length": (frozenset({"0"}), "0", "the parameters of logged statements"),
    "log_parameter_max_length_on_error": (frozenset({"0"}), "0", "the parameters of a statement that failed"),
    "debug_print_parse": (frozenset({"off"}), "off", "the constants of every statement"),
    "debug_print_rewritten": (frozenset({"off"}), "off", "the constants of every statement"),
    "debug_print_plan": (frozenset({"off"}), "off", "the constants of every statement"),
}
_PRELOADED = "shared_preload_libraries"
#: Modules that log statements, or keep them, by themselves when they are loaded.
_MODULES = {"auto_explain": "the plans of slow statements, constants included", "pgaudit": "statements"}


class ServerFinding(NamedTuple):
    """A setting that lets values into the server's log, and how to change it."""

    setting: str
    value: str
    wanted: str
    why: str

    @property
    def how(self) -> str:
        """What to do about it."""
        where = "in postgresql.conf (and no other value for the role or the database)"
        return self.wanted if self.setting == _PRELOADED else f"set it to {self.wanted} {where}"


def server_findings(conn: Connection) -> list[ServerFinding]:
    """Return every setting of the server, as this connection's role has it, that puts values into its log.

    A setting of the role or of the database counts like one of the server. Settings this server does not know are none.
    """
    names = [*_SILENT, _PRELOADED, "session_preload_libraries", "local_preload_libraries"]
    found = {
        r["name"]: str(r["setting"])
        for r in rows(conn, "select name, setting from pg_settings where name = any(%s)", [names])
    }
    findings = [
        ServerFinding(name, found[name], wanted, why)
        for name, (allowed, wanted, why) in _SILENT.items()
        if name in found and found[name] not in allowed
    ]
    loaded = ",".join(found.get(name, "") for name in names[len(_SILENT) :])
    findings += [
        ServerFinding(_PRELOADED, module, f"leave {module} out", why)
        for module, why in _MODULES.items()
        if module in loaded
    ]
    return findings
