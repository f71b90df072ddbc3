"""The rooms and their doors: who may import whom, and what may stand nowhere. Walks the source, imports nothing.

Imports point inward: dags, plugins -> flows -> ports <- connectors; the core imports nothing of ours but the errors,
which import nothing. A room that is still empty passes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ROOT / "include" / "sluis"
#: What may open a personal value: a connector's mapping, the core's VAT decision, the pseudonym maker.
REVEALING = (
    "shops/*/mapping.py",
    "accounting/*/mapping.py",
    "registers/mapping.py",
    "core/icp.py",
    "core/vat_facts.py",
    "privacy/pseudonyms.py",
)
#: The rooms that a flow is built from.
INNER = ("core", "http", "shops", "accounting", "store", "transit", "quality", "privacy", "registers", "statistics")
#: Who may serialise one: the transit codec. ``core/personal.py`` defines the word.
SERIALISING = ("transit/*", "core/personal.py")


@dataclass(frozen=True)
class Module:
    """A source file of the product: its path below include/sluis, its dotted name and its tree."""

    path: str
    name: str
    tree: ast.Module

    def within(self, *patterns: str) -> bool:
        """Whether the path is one of ``patterns`` (``*`` stands for one name, at the end for all below)."""
        return any(Path(self.path).match(p) or (p.endswith("/*") and self.path.startswith(p[:-1])) for p in patterns)

    def imports(self) -> Iterator[str]:
        """Dotted names of everything imported, relative imports made absolute, ``from x import y`` as ``x.y``."""
        package = self.name if self.path.endswith("__init__.py") else self.name.rpartition(".")[0]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*parent, *([base] if base else [])])
                yield from (f"{base}.{alias.name}" for alias in node.names)


def read(path: Path, source: str | None = None) -> Module:
    relative = path.relative_to(PRODUCT)
    parts = [*relative.parts[:-1], *([] if relative.stem == "__init__" else [relative.stem])]
    text = path.read_text(encoding="utf-8") if source is None else source
    return Module(relative.as_posix(), ".".join(["sluis", *parts]), ast.parse(text))


MODULES = [read(path) for path in sorted(PRODUCT.rglob("*.py"))]


def top(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def below(name: str, *prefixes: str) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def core_imports_outward(module: Module) -> set[str]:
    if not module.within("core/*"):
        return set()
    allowed = sys.stdlib_module_names | {"pydantic", "pydantic_core", "stdnum", "__future__"}
    impure = {"os", "random", "secrets", "time", "socket", "sqlite3", "subprocess", "threading", "asyncio", "logging"}
    return {
        name
        for name in module.imports()
        if (top(name) not in allowed and not below(name, "sluis.core", "sluis.errors"))
        or top(name) in impure
        or below(name, "http", "urllib")
    }


def imports_airflow(module: Module) -> set[str]:
    """Airflow stays in dags/, plugins/, the one room that serves them, and what makes its database on this machine."""
    if module.within("airflow_support/*", "local/prepare.py", "accounting/ubl/files.py"):
        return set()
    return {name for name in module.imports() if top(name) == "airflow"}


def flows_import_connectors(module: Module) -> set[str]:
    """A flow knows a connector by its port only; the folders are found by walking them (``importlib``)."""
    if not module.within("flows/*"):
        return set()
    rooms = {d.parent.name + "." + d.name for r in ("shops", "accounting") for d in (PRODUCT / r).glob("*/")}
    return {name for name in module.imports() if any(below(name, f"sluis.{room}") for room in rooms)}


def connectors_import_rooms(module: Module) -> set[str]:
    """A connector sees ports, core, errors, http and its own folder; no store, no flow, no other connector."""
    if not module.within("shops/*", "accounting/*"):
        return set()
    side, *rest = module.path.split("/")
    own = f"sluis.{side}.{rest[0]}" if len(rest) > 1 else f"sluis.{side}"
    shared = {d.name for d in (PRODUCT / side).glob("*.py")}
    helpers = tuple(f"sluis.{side}.{name.removesuffix('.py')}" for name in shared if name != "__init__.py")
    allowed = ("sluis.core", "sluis.errors", "sluis.ports", "sluis.http", own, *helpers)
    return {name for name in module.imports() if top(name) == "sluis" and not below(name, *allowed)}


def inner_rooms_import_outer(module: Module) -> set[str]:
    """The rooms that flows are built from know nothing of flows, of what starts them, or of the sandbox."""
    if not module.within(*(f"{room}/*" for room in INNER)):
        return set()
    outer = ("flows", "cli", "sandbox", "demo", "local", "airflow_support")
    return {name for name in module.imports() if below(name, *(f"sluis.{room}" for room in outer))}


def requests_elsewhere(module: Module) -> set[str]:
    """HTTP to vendors goes through the shared session; ``local`` talks to the Airflow it started on this machine."""
    if module.within("http/*", "shops/*", "accounting/*", "local/*"):
        return set()
    return {name for name in module.imports() if top(name) in {"requests", "requests_oauthlib", "urllib3"}}


def psycopg_elsewhere(module: Module) -> set[str]:
    if module.within("store/*", "transit/*", "privacy/retention/*"):  # retention deletes rows of any table
        return set()
    return {name for name in module.imports() if top(name) in {"psycopg", "psycopg2", "psycopg_pool", "alembic"}}


def pandas_elsewhere(module: Module) -> set[str]:
    """Frames are judged in ``quality``, and counted in ``statistics``; nobody else holds orders in one."""
    if module.within("quality/*"):
        return set()
    mathematics = {"pandas", "numpy", "scipy"} if module.within("statistics/*") else set()
    known = {"pandas", "great_expectations", "numpy", "scipy"} - mathematics
    return {name for name in module.imports() if top(name) in known}


def reveals(module: Module) -> set[str]:
    if module.within(*REVEALING):
        return set()
    return {f"line {n.lineno}" for n in ast.walk(module.tree) if isinstance(n, ast.Attribute) and n.attr == "reveal"}


def serialises_personal(module: Module) -> set[str]:
    if module.within(*SERIALISING):
        return set()
    uses = {f"line {n.lineno}" for n in ast.walk(module.tree) if isinstance(n, ast.Name) and n.id == "REVEAL"}
    attributes = {
        f"line {n.lineno}" for n in ast.walk(module.tree) if isinstance(n, ast.Attribute) and n.attr == "REVEAL"
    }
    imported = {name for name in module.imports() if name.endswith(".REVEAL")}
    words = {
        f"line {n.lineno}"
        for n in ast.walk(module.tree)
        if isinstance(n, ast.Constant) and n.value == "sluis_transit_reveal"
    }
    return uses | attributes | imported | words


def opens_the_slot(module: Module) -> set[str]:
    """``_value`` of a personal value is its own business."""
    if module.within("core/personal.py"):
        return set()
    return {
        f"line {n.lineno}"
        for n in ast.walk(module.tree)
        if isinstance(n, ast.Attribute)
        and n.attr == "_value"
        and not (isinstance(n.value, ast.Name) and n.value.id == "self")
    }


def makes_floats(module: Module) -> set[str]:
    return {
        f"line {n.lineno}"
        for n in ast.walk(module.tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "float"
    }


def pickles(module: Module) -> set[str]:
    return {
        name
        for name in module.imports()
        if top(name) in {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
    }


def reads_the_clock(module: Module) -> set[str]:
    """The core is told what day it is."""
    if not module.within("core/*"):
        return set()
    return {
        f"line {n.lineno}"
        for n in ast.walk(module.tree)
        if isinstance(n, ast.Attribute) and n.attr in {"now", "today", "utcnow", "uuid4"}
    }


def shows_refused_input(module: Module) -> set[str]:
    """What pydantic refused stands in its errors, unless they are asked without."""
    return {
        f"line {n.lineno}"
        for n in ast.walk(module.tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "errors"
        and not any(k.arg == "include_input" and getattr(k.value, "value", None) is False for k in n.keywords)
    }  # fmt: skip


RULES = [
    core_imports_outward, reads_the_clock, imports_airflow, flows_import_connectors, connectors_import_rooms,
    inner_rooms_import_outer, requests_elsewhere, psycopg_elsewhere, pandas_elsewhere, reveals, serialises_personal,
    opens_the_slot, makes_floats, pickles, shows_refused_input,
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rooms_keep_their_doors(rule: object) -> None:
    broken = {module.path: found for module in MODULES if (found := rule(module))}  # type: ignore[operator]
    assert broken == {}


def test_modules_and_functions_stay_short() -> None:
    long: list[str] = []
    for path in sorted(PRODUCT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        where = path.relative_to(PRODUCT).as_posix()
        if (lines := text.count("\n")) > 400:
            long.append(f"{where}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > 40:
                    long.append(f"{where}: {node.name} has {length} lines")
    assert long == []


def test_every_module_says_what_it_is_for() -> None:
    assert [module.path for module in MODULES if not ast.get_docstring(module.tree)] == []


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (core_imports_outward, "core/x.py", "import requests"),
        (core_imports_outward, "core/x.py", "from sluis.ports import Window"),
        (core_imports_outward, "core/x.py", "from ..store import bookings"),
        (core_imports_outward, "core/x.py", "import random"),
        (core_imports_outward, "core/x.py", "def f():\n    import pandas"),
        (reads_the_clock, "core/x.py", "from datetime import date\nday = date.today()"),
        (imports_airflow, "flows/x.py", "from airflow.sdk import dag"),
        (requests_elsewhere, "flows/x.py", "import requests.exceptions"),
        (psycopg_elsewhere, "privacy/x.py", "from psycopg import sql"),
        (pandas_elsewhere, "flows/x.py", "import pandas as pd"),
        (inner_rooms_import_outer, "store/x.py", "from sluis.flows import sync"),
        (reveals, "flows/x.py", "name = buyer.email.reveal()"),
        (reveals, "shops/y/client.py", "f = email.reveal"),
        (serialises_personal, "flows/x.py", "from sluis.core.personal import REVEAL"),
        (serialises_personal, "flows/x.py", "context = {'sluis_transit_reveal': True}"),
        (opens_the_slot, "flows/x.py", "name = buyer.email._value"),
        (shows_refused_input, "flows/x.py", "told = error.errors()"),
        (makes_floats, "accounting/y/mapping.py", "price = float('1.10')"),
        (pickles, "transit/x.py", "from pickle import dumps"),
        (connectors_import_rooms, "shops/y/client.py", "from sluis.store import bookings"),
        (connectors_import_rooms, "shops/y/client.py", "from sluis.accounting.z import mapping"),
    ],
)
def test_each_rule_would_notice(rule: object, path: str, source: str) -> None:
    assert rule(read(PRODUCT / path, source))  # type: ignore[operator]


def test_a_flow_that_names_a_connector_is_noticed() -> None:
    folders = [d for d in (PRODUCT / "shops").glob("*/") if (d / "mapping.py").exists()]
    if not folders:
        pytest.skip("no shop connector is built yet")
    source = f"from sluis.shops.{folders[0].name} import mapping"
    assert flows_import_connectors(read(PRODUCT / "flows" / "x.py", source))
