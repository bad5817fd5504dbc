"""Nothing is lost when a used database is upgraded from the last released addon.

Run by ``setup/test.sh pytest_odoo``, which makes the database (``setup/released.py``).
"""

import contextlib
import json
import os
from pathlib import Path

import pytest

import odoo

#: Stored columns that the addon gave up since the release: table -> names, with the reason.
GIVEN_UP = {}
#: Mails of ``fill.py`` that are open when it is upgraded.
OPEN = ("retried", "taken", "waiting")
#: System parameters of ``fill.py``, which count for all mail.
PARAMETERS = (
    "mail_catchall_gateway.automatic_alias",
    "mail_catchall_gateway.reply_days",
    "mail.gateway.loop.threshold",
    "mail.gateway.loop.minutes",
    "mail.catchall.domain.allowed",
)


@contextlib.contextmanager
def environment():
    with odoo.registry(odoo.tests.common.get_db_name()).cursor() as cr:
        yield odoo.api.Environment(cr, odoo.SUPERUSER_ID, {})


@pytest.fixture
def env():
    with environment() as env:
        yield env


@pytest.fixture(scope="module", autouse=True)
def take_back():
    """The addon's tests come next: they expect the default settings, and that no mail waits."""
    yield
    with environment() as env:
        for key in PARAMETERS:
            env["ir.config_parameter"].set_param(key, False)
        env["mail.mail"].search([]).unlink()


def read(name):
    return json.loads((Path(os.environ["MCG_UPGRADE"]) / f"{name}.json").read_text())


BEFORE, AFTER = read("before"), read("after")


@pytest.mark.parametrize("table", BEFORE)
def test_every_row_is_kept(table):
    def get_key(row):
        return row["id"] if "id" in row else tuple(sorted(row.items()))

    after = {get_key(row): row for row in AFTER.get(table, ())}
    for row in BEFORE[table]:
        kept = {name: row[name] for name in row.keys() - GIVEN_UP.get(table, set())}
        found = after.get(get_key(row), {})
        assert {name: found.get(name, "not there") for name in kept} == kept


def test_the_release_was_used():
    """Only what was there before can be missed."""
    assert {row["key"] for row in BEFORE["ir_config_parameter"]} >= set(PARAMETERS)
    states = {row["state"] for row in BEFORE["mail_catchall_inbound"]}
    assert states >= {"pending", "processing", "delivered", "ignored", "review", "failed"}
    for table in ("mail_catchall_conversation", "mail_catchall_blocked", "mail_activity"):
        assert BEFORE[table], table


def test_sources_can_be_read(env):
    for inbound in env["mail.catchall.inbound"].search([("size", ">", 0)]):
        assert inbound._get_source()


def test_scheduled_actions_go_on(env):
    """What is open is delivered, by the actions that the release made."""
    env["mail.alias"].search([("alias_name", "=", "broken")]).alias_defaults = "{}"
    inbounds = env["mail.catchall.inbound"].search([("name", "in", OPEN)])
    assert sorted(inbounds.mapped("name")) == sorted(OPEN)
    inbounds.next_attempt = False
    env.cr.commit()
    for name in ("ir_cron_process_inbound", "ir_cron_digest"):
        env.ref(f"mail_catchall_gateway.{name}").method_direct_trigger()
    env.invalidate_all()
    assert {inbound.name: inbound.state for inbound in inbounds} == dict.fromkeys(OPEN, "delivered")
    assert env["mail.mail"].search([("subject", "=like", "Email gateway: %")]), "the digest"
