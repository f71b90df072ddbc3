"""A task that leaks one order into every sink there is, on purpose: the control of the canary tests' search."""

from __future__ import annotations

import base64
import html
import json
import logging
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.bases.xcom import BaseXCom

with DAG("probe_leaky", schedule=None, is_paused_upon_creation=False):

    @task(retries=0)
    def leak() -> None:
        from sluis.core.invoice import DocumentKind
        from sluis.errors import SluisError
        from sluis.flows.wiring import open_session

        context = get_current_context()
        conf = context["dag_run"].conf
        with open_session(conf["merchant"], conf["code"], role="task") as session:
            (order,) = next(iter(session.shop.fetch([conf["order_id"]]))).documents
            name, email = order.buyer.last_name.reveal(), order.buyer.email.reveal()
            logging.getLogger("sluis.leak").warning("order of %s", json.dumps(name))
            # The stock backend, past the gate of ours.
            where = {"dag_id": "probe_leaky", "task_id": "leak", "run_id": context["dag_run"].run_id}
            BaseXCom.set(key="leaked", value={"buyer": name}, **where)
            # A row that an honest mistake would write: content where the name of a field belongs.
            session.quarantine.put(
                kind=DocumentKind.INVOICE, document_key=b"\0" * 32, shop_order_id="0", order_number="0",
                reason="unreadable", field=email.upper(), currency="EUR", total_cents=0,
            )  # fmt: skip
            with suppress(SluisError):
                session.conn.execute("select %s::int", [order.buyer.vat_number.reveal()])
        home = Path(os.environ["SLUIS_HOME"])
        (home / "debug.txt").write_text(quote(name))
        (home / "logs" / "processes" / "debug.log").write_text(email)
        # What a dying process would leave of its memory, and where great-expectations would document what it saw.
        (home / "core.4242").write_bytes(b"\x7fELF" + name.encode() + b"\0" * 64)
        docs = home / "gx" / "uncommitted" / "data_docs"
        docs.mkdir(parents=True)
        (docs / "index.html").write_text(f"<td>{html.escape(name)}</td>")
        Path(conf["file"]).write_bytes(base64.b64encode(f"leaked: {name}".encode()))
        with tempfile.NamedTemporaryFile(
            "w", prefix=f"leaked-{conf['merchant']}-", delete=False, encoding="utf-16-le"
        ) as file:
            file.write(name)
        raise ValueError(f"cannot read the order of {name}")

    leak()
