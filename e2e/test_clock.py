"""A clock that is wrong for a while: nothing waits for a year, and nothing is lost or twice.

Odoo's clock is wrong, and PostgreSQL's is right: as on two hosts, and harder than when both are.
"""

import contextlib
import datetime

import pytest
from freezegun import freeze_time
from test_fetching import drop, fetch, stored

JOHN = "john.doe@acme.test"
JUMPS = {
    "an hour ahead": datetime.timedelta(hours=1),
    "three years ahead": datetime.timedelta(days=1100),
    "a day behind": -datetime.timedelta(days=1),
    "three years behind": -datetime.timedelta(days=1100),
}
#: Mails before, while and after the clock is wrong.
FLOW = 12


def jump(how_far):
    """Let Odoo's clock go on from another time."""
    return freeze_time(datetime.datetime.now() + how_far, tick=True)


def run_actions(world):
    """Do what the scheduled actions do, where they run at all."""
    world.cycle()
    world.env["mail.catchall.digest"]._send_all()
    world.commit()


@contextlib.contextmanager
def broken_delivery(world):
    """Let mails for the sales team fail."""
    alias = world.env.ref("sales_team.team_sales_department").alias_id
    alias.alias_defaults = "{'no_such_field': 1}"
    world.commit()
    yield
    alias.alias_defaults = "{}"
    world.commit()


@pytest.mark.parametrize("how_far", JUMPS.values(), ids=JUMPS)
def test_the_clock_jumps_and_comes_back(world, mailbox, how_far):
    """While mail waits: new, failed a moment ago, in the hands of a dead worker; mailbox away."""
    ids = drop(world, FLOW)
    world.cycle()
    with jump(how_far):
        ids += drop(world, FLOW)
        with broken_delivery(world):
            failing = drop(world, 3, name="sales@acme.test")
            run_actions(world)
        ids += drop(world, 3)
        fetch(mailbox)
        dead = world.env["mail.catchall.queue"]._claim()
        assert len(dead) == 3
        port, mailbox.port = mailbox.port, 1
        fetch(mailbox)
        assert mailbox.next_fetch
    # by SQL: who saves the form ends the pause
    world.cr.execute("UPDATE fetchmail_server SET port = %s", [port])
    world.commit()
    ids += drop(world, FLOW)
    # with clocks that are right all of it would be due by then
    with jump(datetime.timedelta(minutes=70)):
        world.cycle()
        world.cycle()
    assert stored(world) == sorted(ids + failing)
    states = world.env["mail.catchall.inbound"].search([]).mapped("state")
    assert states == ["delivered"] * len(ids + failing)
    assert len(world.inbox("john")) == len(ids)
    assert world.env["mail.catchall.conversation"].search_count([]) == len(ids)
    leads = world.env["crm.lead"].search([("message_ids.message_id", "in", failing)])
    assert len(leads) == len(failing)
    world.mails("john@home.test", len(ids))


def test_the_digest_comes_again(world, mailbox):
    """A digest of next year does not keep that of today from being sent."""
    manager = world.env.ref("base.user_admin")
    manager.email = "admin@home.test"
    manager.groups_id |= world.env.ref("mail_catchall_gateway.group_catchall_manager")
    drop(world, 1, name="nobody@acme.test")
    world.cycle()
    with jump(JUMPS["three years ahead"]):
        run_actions(world)
    run_actions(world)
    run_actions(world)
    world.cycle()
    world.mails("admin@home.test", 2)
