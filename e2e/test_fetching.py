"""Mail is read by IMAP and POP3 from the real Dovecot; nothing is lost when the dialogue breaks."""

import os
import re
import time
import uuid

import pytest
from conftest import mailbox_of
from proxy import Proxy

JOHN = "john.doe@acme.test"
#: Every so many octets the dialogue is cut; 1 takes some minutes.
CUT_STEP = int(os.environ.get("MCG_CUT_STEP", "41"))


def drop(world, count=1, name=JOHN, text="Two, please.", folder="new"):
    """Put mails into a mailbox without SMTP, and return their Message-Ids."""
    target = world.stack.mail / mailbox_of(name)
    world.make_maildir(target)
    ids = []
    for _number in range(count):
        unique = uuid.uuid4().hex
        ids.append(f"<{unique}@customer.test>")
        world.put_file(
            target / folder / f"{time.time():.6f}.{unique}.test",
            f"Return-Path: <mary@customer.test>\nDelivered-To: {name}\n"
            # one sender who writes so much would be taken for a machine
            f"From: Mary Smith <mary.{unique}@customer.test>\nTo: {name}\nSubject: {unique}\n"
            f"Message-Id: {ids[-1]}\n\n{text}\n",
        )
    return ids


def put_mail(world, text, message_id="<1@customer.test>", name=JOHN):
    """Put one mail into a mailbox without SMTP.

    :param str text: what follows the first fields of the header
    """
    folder = world.stack.mail / mailbox_of(name)
    world.make_maildir(folder)
    header = f"From: Mary <mary@customer.test>\nTo: {name}\nMessage-Id: {message_id}\n"
    world.put_file(folder / "new" / f"{time.time():.6f}.put", header + text)


def put_again(file):
    """Have a mail look as if nobody had read it, with the same UID."""
    file.rename(file.parent.parent / "new" / file.name.partition(":")[0])


def fetch(mailbox, seconds=60):
    """Fetch only, and return how it ended."""
    result = mailbox._fetch_catchall(time.monotonic() + seconds)
    mailbox.env.invalidate_all()
    return result


def stored(world):
    """Return the Message-Ids of all inbound emails."""
    return sorted(world.env["mail.catchall.inbound"].search([]).mapped("message_id"))


def flags(world, folder=""):
    """Return the flags of the mails in a folder of the mailbox, as letters, in any order."""
    files = (world.stack.mail / mailbox_of(JOHN) / folder).glob("[cn]*/*:2,*")
    return sorted(file.name.rpartition(",")[2] for file in files)


def count_files(world, folder=""):
    target = world.stack.mail / mailbox_of(JOHN) / folder
    return len([*target.glob("new/*"), *target.glob("cur/*")])


class WithoutCapabilities(Proxy):
    """What a server with fewer extensions says of itself."""

    def __init__(self, to, *names):
        def change(line):
            for name in names:
                line = line.replace(b" " + name, b"")
            return line

        super().__init__(to, change=change)


# ------------------------------------------------------------
# WHAT BECOMES OF FETCHED MAIL
# ------------------------------------------------------------


def test_fetched_mail_is_marked_as_read(world, mailbox):
    ids = drop(world, 3)
    assert fetch(mailbox).count == 3
    assert stored(world) == sorted(ids)
    assert flags(world) == ["S", "S", "S"]
    assert fetch(mailbox).count == 0


@pytest.mark.parametrize("missing", [(), (b"MOVE",), (b"MOVE", b"UIDPLUS")])
def test_fetched_mail_is_moved(world, mailbox, missing):
    mailbox.write({"after_fetch": "move", "archive_folder": "Gelöscht & fertig"})
    ids = drop(world, 3)
    with WithoutCapabilities(world.stack.ports["imap"], *missing) as proxy:
        mailbox.port = proxy.port
        assert fetch(mailbox).text == ""
    assert stored(world) == sorted(ids)
    assert count_files(world) == 0
    assert count_files(world, ".Gel&APY-scht &- fertig") == 3


@pytest.mark.parametrize("missing", [(), (b"UIDPLUS",)])
def test_fetched_mail_is_deleted(world, mailbox, missing):
    mailbox.after_fetch = "delete"
    ids = drop(world, 3)
    with WithoutCapabilities(world.stack.ports["imap"], *missing) as proxy:
        mailbox.port = proxy.port
        assert fetch(mailbox).text == ""
    assert stored(world) == sorted(ids)
    assert count_files(world) == 0


def test_a_folder_with_any_name_is_read(world, mailbox):
    mailbox.write({"folder": "Eingänge & 日本", "after_fetch": "seen"})
    target = world.stack.mail / mailbox_of(JOHN)
    world.make_maildir(target)
    world.make_maildir(target / ".Eing&AOQ-nge &- &ZeVnLA-")
    ids = drop(world, 2, folder=".Eing&AOQ-nge &- &ZeVnLA-/new")
    assert fetch(mailbox).text == ""
    assert stored(world) == ids or stored(world) == ids[::-1]


def test_a_mailbox_that_is_numbered_anew_brings_nothing_twice(world, mailbox):
    """A new UIDVALIDITY, with mails that were stored and not acknowledged."""
    with_id = world.send(JOHN)
    (file,) = world.files(mailbox_of(JOHN))
    lines = file.read_text().splitlines(keepends=True)
    without = [line for line in lines if not line.lower().startswith("message-id")]
    world.put_file(file.parent.parent / "new" / "1.without", "".join(without))
    world.cycle()
    assert world.env["mail.catchall.inbound"].search_count([("state", "=", "delivered")]) == 2
    for name in ("dovecot-uidlist", "dovecot.index", "dovecot.index.log", "dovecot.index.cache"):
        (file.parent.parent / name).unlink(missing_ok=True)
    for path in world.files(mailbox_of(JOHN)):
        path.rename(path.parent.parent / "new" / path.name.partition(":")[0])
    time.sleep(1.1)  # Dovecot numbers by the second
    world.cycle()
    inbounds = world.env["mail.catchall.inbound"].search([], order="id")
    assert inbounds.mapped("state") == ["delivered"] * 2 + ["ignored"] * 2
    assert len(set(inbounds.mapped("uid_validity"))) == 2
    assert with_id in inbounds.mapped("message_id")
    assert len(world.inbox("john")) == 2


def test_a_uid_that_another_mail_has_now(world, mailbox):
    """The mailbox was restored, or its server counts anew; the mail is not taken for the old."""
    drop(world, 2)
    assert fetch(mailbox).count == 2
    first, second = world.files(mailbox_of(JOHN))
    put_again(first)
    assert fetch(mailbox).count == 0, "the same: only acknowledged"
    assert flags(world) == ["S", "S"]
    text = re.sub("Message-Id: <.{16}", "Message-Id: <another.message.", second.read_text())
    second.unlink()
    world.put_file(second.parent.parent / "new" / second.name.partition(":")[0], text)
    before = world.env["mail.catchall.inbound"].search([]).mapped("uid")
    assert fetch(mailbox).count == 1
    assert len([name for name in stored(world) if name.startswith("<another.message.")]) == 1
    inbounds = world.env["mail.catchall.inbound"].search([])
    assert len(inbounds) == 3
    assert sorted(filter(None, inbounds.mapped("uid"))) == sorted(before)
    assert fetch(mailbox).count == 0


class Emptying(Proxy):
    """Hands over the first mail, by IMAP or POP3, as one without a single octet."""

    def __init__(self, to):
        super().__init__(to, change=self.empty)
        self.is_done, self.left, self.is_text = False, 0, False

    def empty(self, line):
        if self.left:  # of a literal
            kept = line[self.left :]
            self.left = max(0, self.left - len(line))
            return kept
        if self.is_text:
            self.is_text = line != b".\r\n"
            return b"" if self.is_text else line
        literal = re.search(rb"BODY\[\] \{(\d+)\}\r\n$", line)
        if self.is_done or not (literal or re.match(rb"\+OK \d+ octets\r\n$", line)):
            return line
        self.is_done = True
        if literal:
            self.left = int(literal[1])
            return line[: literal.start(1)] + b"0}\r\n"
        self.is_text = True
        return line


@pytest.mark.parametrize("server_type", ["imap", "pop"])
def test_a_mail_that_is_handed_over_empty_stays_where_it_is(world, mailbox, server_type):
    """No mail is empty: its server cannot read it at the moment."""
    port = world.stack.ports["imap" if server_type == "imap" else "pop3"]
    mailbox.write({"server_type": server_type, "port": port, "after_fetch": "delete"})
    ids = drop(world, 2)
    with Emptying(port) as proxy:
        mailbox.port = proxy.port
        result = fetch(mailbox)
        assert proxy.is_done
    assert (result.code, result.count) == ("fetched", 1)
    assert result.text, "which one"
    assert count_files(world) == 1
    mailbox.port = port
    assert fetch(mailbox).count == 1
    assert stored(world) == sorted(ids)
    assert count_files(world) == 0


def test_a_batch_that_the_server_refuses_is_fetched_one_by_one(world, mailbox):
    ids = drop(world, 3)
    refused = []

    def change(line):
        if b"Fetch completed" in line and not refused and seen_body:
            refused.append(line)
            return line.split()[0] + b" NO I am busy\r\n"
        if b"BODY[]" in line:
            seen_body.append(line)
        return line

    seen_body = []
    with Proxy(world.stack.ports["imap"], change=change) as proxy:
        mailbox.port = proxy.port
        assert fetch(mailbox).count == 3
    assert refused
    assert stored(world) == sorted(ids)


# ------------------------------------------------------------
# BROKEN DIALOGUES
# ------------------------------------------------------------


def check_broken(world, mailbox, proxy):
    """Fetch through a proxy that breaks the dialogue, then without it: all is there once."""
    before = stored(world)
    ids = drop(world, 2)
    port = world.stack.ports["imap" if mailbox.server_type == "imap" else "pop3"]
    with proxy:
        mailbox.port = proxy.port
        result = fetch(mailbox)
    mailbox.port = port
    fetch(mailbox)
    assert stored(world) == sorted([*before, *ids])
    assert not mailbox.last_error
    assert fetch(mailbox).count == 0, "acknowledged"
    return result


def measure_dialogue(world, mailbox, server_type):
    """Fetch two mails by this protocol.

    :return tuple: the port; how many octets the server said, and how many were said to it
    """
    port = world.stack.ports["imap" if server_type == "imap" else "pop3"]
    mailbox.write({"server_type": server_type, "port": port})
    with Proxy(port) as whole:
        mailbox.port = whole.port
        drop(world, 2)
        assert fetch(mailbox).count == 2
        return port, *whole.octets


@pytest.mark.parametrize("server_type", ["imap", "pop"])
def test_cut_after_any_octet_from_the_server(world, mailbox, server_type):
    port, total, _said = measure_dialogue(world, mailbox, server_type)
    failures = 0
    for octets in range(0, total, CUT_STEP):
        result = check_broken(world, mailbox, Proxy(port, cut_after=octets))
        failures += result.code == "error"
    assert failures > 0.9 * len(range(0, total, CUT_STEP)), "the cuts did not break it"


@pytest.mark.parametrize("server_type", ["imap", "pop"])
def test_cut_after_any_octet_to_the_server(world, mailbox, server_type):
    port, _heard, total = measure_dialogue(world, mailbox, server_type)
    for octets in range(0, total, max(1, CUT_STEP // 4)):
        check_broken(world, mailbox, Proxy(port, cut_command_after=octets))


#: What a server answers in the place of OK, by name.
ANSWERS = {
    "NO": b" NO I do not want to\r\n",
    "BAD": b" BAD what is that\r\n",
    "garbage": b"\xff\x00 {12}\r\n(((\r\n",
    "BYE": b"* BYE shutting down\r\n",
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_server_that_does_not_answer_ok(world, mailbox, kind):
    """Each of the answers of a dialogue, one after the other, is replaced."""
    count = [0]

    def counting(line):
        count[0] += b" OK " in line[:10]
        return line

    with Proxy(world.stack.ports["imap"], change=counting) as proxy:
        mailbox.port = proxy.port
        drop(world, 2)
        fetch(mailbox)
    assert count[0] >= 6
    # the last one answers LOGOUT, when all is done
    for number in range(1, count[0]):
        result = check_broken(world, mailbox, Answering(world.stack.ports["imap"], kind, number))
        is_mended = result.count == 2  # a batch that is refused is fetched one by one
        assert result.text or is_mended, f"answer {number} was replaced, and nobody is told"


class Answering(Proxy):
    """Replaces one of the server's answers."""

    def __init__(self, to, kind, number):
        super().__init__(to, change=self.replace)
        self.kind, self.left = kind, number

    def replace(self, line):
        tag, _space, rest = line.partition(b" ")
        if not rest.startswith(b"OK "):
            return line
        self.left -= 1
        if self.left:
            return line
        answer = ANSWERS[self.kind]
        return tag + answer if answer.startswith(b" ") else answer


# ------------------------------------------------------------
# POP3
# ------------------------------------------------------------


@pytest.fixture
def pop(world, mailbox):
    mailbox.write({"server_type": "pop", "port": world.stack.ports["pop3"]})
    return mailbox


def test_pop_deletes_what_is_stored(world, pop):
    ids = drop(world, 3, text="line\n" * 3 + ".\n..\n" + "x" * 200_000)
    assert fetch(pop).count == 3
    assert stored(world) == sorted(ids)
    assert count_files(world) == 0
    source = world.env["mail.catchall.inbound"].search([], limit=1)._get_source()
    assert source.endswith(b"line\r\n.\r\n..\r\n" + b"x" * 200_000 + b"\r\n")


def test_pop_leaves_mail_for_some_days(world, pop):
    pop.leave_days = 3
    drop(world, 2)
    assert fetch(pop).count == 2
    assert fetch(pop).count == 0
    assert count_files(world) == 2
    world.cr.execute(
        "UPDATE mail_catchall_inbound SET create_date = create_date - INTERVAL '4 days'"
        " WHERE id = (SELECT min(id) FROM mail_catchall_inbound)"
    )
    world.commit()
    assert fetch(pop).count == 0
    assert count_files(world) == 1


class AnsweringPop(Proxy):
    """Makes a command one that the server does not know: each time, or only the n-th."""

    def __init__(self, to, command, only=None):
        super().__init__(to, change_command=self.replace)
        self.command, self.only, self.count = command, only, 0

    def replace(self, line):
        if not line.upper().startswith(self.command):
            return line
        self.count += 1
        return b"XNONE\r\n" if self.only in (None, self.count) else line


def test_pop_goes_on_after_a_mail_that_the_server_does_not_hand_over(world, pop):
    ids = drop(world, 3)
    with AnsweringPop(pop.port, b"RETR", only=2) as proxy:
        port, pop.port = pop.port, proxy.port
        result = fetch(pop)
    assert result.count == 2
    assert result.text, "which one, and why"
    assert count_files(world) == 1
    pop.port = port
    assert fetch(pop).count == 1
    assert stored(world) == sorted(ids)


def test_pop_without_uidl(world, pop):
    ids = drop(world, 2)
    with AnsweringPop(pop.port, b"UIDL") as proxy:
        pop.port = proxy.port
        assert fetch(pop).count == 2
    assert proxy.count == 1
    assert stored(world) == sorted(ids)
    assert count_files(world) == 0


def test_pop_servers_may_use_a_uid_again(world, pop):
    """The UID of a mail that was deleted is free (RFC 1939, 7)."""

    def change(line):
        return re.sub(rb"^(\d+) [0-9a-f]{16}\r\n$", rb"\1 uid\1\r\n", line)

    with Proxy(pop.port, change=change) as proxy:
        pop.port = proxy.port
        ids = []
        for _run in range(3):
            ids += drop(world, 1)
            assert fetch(pop).count == 1
            assert count_files(world) == 0
    assert stored(world) == sorted(ids)
    assert world.env["mail.catchall.inbound"].search([], limit=1).uid == "uid1"


def test_pop_servers_may_use_a_uid_again_for_the_mail_of_a_machine(world, pop):
    """It writes no Message-Id, and one mail is as long as the other."""

    def change(line):
        return re.sub(rb"^(\d+) [0-9a-f]{16}\r\n$", rb"\1 uid\1\r\n", line)

    with Proxy(pop.port, change=change) as proxy:
        pop.port = proxy.port
        for door in (b"1", b"2"):
            put_mail(world, f"Subject: Alarm\n\nDoor {door.decode()}\n", message_id="")
            assert fetch(pop).count == 1
            source = world.env["mail.catchall.inbound"].search([], limit=1)._get_source()
            assert source.endswith(b"Door " + door + b"\r\n")
            assert count_files(world) == 0


# ------------------------------------------------------------
# MANNERS
# ------------------------------------------------------------


def test_two_fetches_of_a_mailbox_at_once(world, mailbox):
    drop(world, 2)
    import odoo

    with odoo.registry(world.database).cursor() as cr:
        other = mailbox.with_env(mailbox.env(cr=cr))
        assert other._lock_mailbox()
        assert fetch(mailbox).code == "busy"
        assert not mailbox.last_error
        other._unlock_mailbox()
    assert fetch(mailbox).count == 2


def test_the_time_is_over_and_the_next_run_goes_on(world, mailbox):
    mailbox.batch_size = 2
    drop(world, 5)
    result = fetch(mailbox, seconds=0)
    assert (result.count, result.has_more) == (2, True)
    assert flags(world).count("S") == 2
    assert fetch(mailbox).count == 3


def test_a_mailbox_that_fails_is_left_alone_for_a_growing_while(world, mailbox):
    drop(world, 1)
    port, mailbox.port = mailbox.port, 1
    world.commit()  # an error rolls back
    pauses = []
    for _attempt in range(5):
        fetch(mailbox)
        pauses.append(round((mailbox.next_fetch - mailbox.date).total_seconds() / 60))
    assert pauses == [1, 5, 15, 60, 60]
    assert mailbox.error_count == 5
    world.env.cr.execute("UPDATE fetchmail_server SET port = %s", [port])
    world.commit()
    world.env["fetchmail.server"]._fetch_mails()
    assert not stored(world), "the scheduled action waits"
    message = mailbox.action_fetch_now()["params"]["message"]
    assert "1 stored, 1 delivered" in message
    assert (mailbox.error_count, mailbox.next_fetch, mailbox.last_error) == (0, False, False)


def test_managers_hear_of_a_mailbox_that_fails_for_a_day(world, mailbox):
    port, mailbox.port = mailbox.port, 1
    world.commit()  # an error rolls back
    fetch(mailbox)
    assert not mailbox.activity_ids
    world.env.cr.execute(
        "UPDATE fetchmail_server SET error_since = error_since - INTERVAL '25 hours'"
    )
    world.commit()
    fetch(mailbox)
    fetch(mailbox)
    assert mailbox.activity_ids.user_id == world.env.ref("base.user_admin")
    assert "refused" in mailbox.activity_ids.note
    mailbox.port = port
    fetch(mailbox)
    assert not mailbox.activity_ids
