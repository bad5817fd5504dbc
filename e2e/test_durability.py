"""Nothing is lost and nothing comes twice, whenever the process dies."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import mailbox_of
from victim import POINTS

JOHN = "john.doe@acme.test"
COUNT = 5


def kill_at(world, point):
    victim = Path(__file__).with_name("victim.py")
    result = subprocess.run([sys.executable, str(victim), str(world.config), world.database, point])
    assert result.returncode == -signal.SIGKILL, "the point was not reached"


def seen(world):
    """Return how many mails the catch-all mailbox shows as seen."""
    return sum(file.name.rpartition(",")[2].count("S") for file in world.files(mailbox_of(JOHN)))


@pytest.mark.parametrize("point", POINTS)
def test_killed(world, point):
    sent = [world.send(JOHN, subject=f"Mail {number}") for number in range(COUNT)]
    kill_at(world, point)
    world.restart()
    states = world.env["mail.catchall.inbound"].search([]).mapped("state")
    if point in ("before store", "in store"):
        assert (states, seen(world)) == ([], 0)
    elif point == "between store and acknowledge":
        assert (states, seen(world)) == (["pending"] * COUNT, 0)
    elif point in ("acknowledged", "between acknowledge and processing"):
        assert (states, seen(world)) == (["pending"] * COUNT, COUNT)
    elif point == "after processing":
        assert sorted(states) == ["delivered"] + ["processing"] * (COUNT - 1)
    else:
        assert states == ["processing"] * COUNT

    world.cycle()
    world.make_due()
    world.cycle()
    assert seen(world) == COUNT
    inbounds = world.env["mail.catchall.inbound"].search([], order="id")
    assert inbounds.mapped("message_id") == sent
    assert inbounds.mapped("state") == ["delivered"] * COUNT
    assert sorted(world.inbox("john").mapped("subject")) == [f"Mail {n}" for n in range(COUNT)]
    assert world.env["mail.catchall.conversation"].search_count([]) == COUNT
    world.mails("john@home.test", COUNT)


def test_a_failing_mail_does_not_hold_up_the_next(world):
    team = world.env.ref("sales_team.team_sales_department")
    team.alias_id.alias_defaults = "{'no_such_field': 1}"
    world.commit()
    failing = world.send("sales@acme.test")
    good = world.send(JOHN)
    world.cycle()
    assert world.inbound(failing).state == "pending"
    assert "no_such_field" in world.inbound(failing).error
    assert world.inbound(good).state == "delivered"
    assert not world.all_mails("mary@customer.test"), "the sender is not told of our error"

    team.alias_id.alias_defaults = "{}"
    world.make_due()
    world.cycle()
    assert world.inbound(failing).state == "delivered"


def test_mail_that_is_there_twice_is_delivered_once(world):
    """Another mailbox, or the same after a restore: another UID, the same Message-Id."""
    message_id = world.send(JOHN)
    world.cycle()
    (file,) = world.files(mailbox_of(JOHN))
    again = file.parent.parent / "new" / f"{file.name.partition(':')[0]}x"
    again.write_bytes(file.read_bytes())
    world.cycle()
    assert world.inbound(message_id).mapped("state") == ["ignored", "delivered"]
    assert len(world.inbox("john")) == 1
    world.mails("john@home.test", 1)


def test_an_unreachable_mailbox_says_so_and_recovers(world):
    mailbox = world.env["fetchmail.server"].search([("is_catchall", "=", True)])
    world.send(JOHN)
    port, mailbox.port = mailbox.port, 1
    world.commit()
    world.cycle()
    assert "refused" in mailbox.last_error
    assert not mailbox.last_success
    mailbox.port = port
    world.cycle()
    assert not mailbox.last_error
    assert mailbox.last_success
    assert len(world.inbox("john")) == 1


def test_a_folder_that_is_not_there_is_named(world):
    mailbox = world.env["fetchmail.server"].search([("is_catchall", "=", True)])
    mailbox.folder = 'No "such" folder'
    world.commit()
    world.cycle()
    assert "doesn't exist" in mailbox.last_error
