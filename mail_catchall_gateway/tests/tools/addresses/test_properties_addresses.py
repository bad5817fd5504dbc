import email.utils
import re

from hypothesis import assume, given
from markupsafe import Markup

from odoo.tests.common import BaseCase

from ....tools.addresses import recipients as tool
from ....tools.addresses.addresses import (
    is_domain_name,
    normalize_address,
    normalize_domain,
    replace_address,
    split_subaddress,
)
from ....tools.addresses.alias_names import make_unique, propose_local_part
from ....tools.addresses.similar_addresses import (
    MAX_LENGTH,
    SAME_NAME,
    find_similar,
    length_range,
    max_distance,
)
from ...properties import addresses, anything, checked, domains, fields, local_parts, names, st


def quote(text):
    return '"' + re.sub(r'([\\"])', r"\\\1", text) + '"'


def edit_distance(one, other):
    """Return the optimal string alignment distance, by its definition."""
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


class TestAddressProperties(BaseCase):
    @checked
    @given(addresses)
    def test_case_and_spaces_do_not_matter(self, address):
        self.assertEqual(normalize_address(f" {address.upper()}\t"), address)

    @checked
    @given(anything)
    def test_what_is_normalized_stays_so(self, text):
        once = normalize_address(text)
        self.assertEqual(normalize_address(once), once)
        once = normalize_domain(text)
        self.assertEqual(normalize_domain(once), once)

    @checked
    @given(domains, anything)
    def test_domain_names(self, domain, text):
        self.assertTrue(is_domain_name(domain))
        if is_domain_name(text):
            self.assertEqual(normalize_domain(text), text)

    @checked
    @given(addresses, addresses, st.lists(st.sampled_from(["own", " ", "<", ">", "Two", "\n"])))
    def test_a_replaced_address_is_gone(self, old, new, pieces):
        assume(old not in new)
        text = "".join(f" {old.upper()} " if piece == "own" else piece for piece in pieces)
        replaced = replace_address(text, old, new)
        self.assertNotIn(old, replaced.lower())
        self.assertEqual(replaced.lower().count(new), pieces.count("own"))
        self.assertIsInstance(replace_address(Markup(text), old, new), Markup)


class TestRecipientProperties(BaseCase):
    @checked
    @given(
        st.lists(st.tuples(names, addresses), max_size=5), st.sampled_from([", ", ";", ",\r\n "])
    )
    def test_a_list_is_read_as_it_was_written(self, pairs, separator):
        for write in (email.utils.formataddr, lambda pair: f"{quote(pair[0])} <{pair[1]}>"):
            value = separator.join(write(pair) for pair in pairs)
            found = [one for mailbox in tool.parse_mailboxes(value) for one in mailbox.found]
            self.assertEqual(found, [address for _name, address in pairs])

    @checked
    @given(anything, addresses)
    def test_a_name_is_never_an_address(self, name, address):
        value = f"{quote(name)} <{address}>"
        found = [one for mailbox in tool.parse_mailboxes(value) for one in mailbox.found]
        self.assertEqual(found, [address])

    @checked
    @given(anything)
    def test_what_is_found_is_an_address(self, value):
        found = [*tool.extract_addresses(value), tool.extract_received_for(value)]
        for address in filter(None, found):
            self.assertRegex(address, r"(?s)^.+@[^@\s]+$")
            self.assertEqual(normalize_address(address), address)

    @checked
    @given(fields, fields, addresses, addresses)
    def test_what_stands_below_our_server_does_not_count(self, forged, above, own, address):
        above = [field for field in above if field[0] != "Received"]
        ours = [*above, ("Received", f"by mx.acme.test for <{address}>; x")]
        found = tool.envelope_recipients(ours, (), [own], 1)
        self.assertEqual(tool.envelope_recipients([*ours, *forged], (), [own], 1), found)
        self.assertEqual(found.addresses, () if address == own else (address,))
        for names_ in (tool.RECIPIENT_HEADERS, ["x-original-to"]):
            every = tool.envelope_recipients(ours + forged, names_, [own.upper()], 1)
            self.assertEqual(every, tool.envelope_recipients(ours, names_, [own], 1))
            self.assertNotIn(own, every.addresses)

    @checked
    @given(fields)
    def test_header_recipients_are_told_once(self, header):
        found = tool.header_recipients(header)
        self.assertEqual(len(found), len(set(found)))
        upper = [(name.upper(), value) for name, value in header]
        self.assertEqual(tool.header_recipients(upper), found)


class TestNameProperties(BaseCase):
    @checked
    @given(anything, st.sampled_from(["", "+", "-", "--", "="]))
    def test_a_subaddress_is_divided_at_its_first_separator(self, local_part, separator):
        user, detail = split_subaddress(local_part, separator)
        self.assertIn(local_part, (user, f"{user}{separator}{detail}"))
        self.assertEqual(bool(user), bool(local_part))
        if separator and detail:
            self.assertNotIn(separator, user)

    @checked
    @given(anything)
    def test_a_proposed_alias_may_be_one(self, text):
        proposed = propose_local_part(text)
        self.assertRegex(proposed, r"^$|^[a-z0-9]+(?:[.-][a-z0-9]+)*$")
        self.assertEqual(propose_local_part(proposed), proposed)

    @checked
    @given(local_parts, st.sets(local_parts))
    def test_a_unique_alias_is_nobody_elses(self, name, taken):
        taken |= {name, f"{name}2"}
        unique = make_unique(name, taken)
        self.assertNotIn(unique, taken)
        self.assertTrue(unique.startswith(name))


class TestSimilarProperties(BaseCase):
    few = st.text("abc.", min_size=1, max_size=9)

    @checked
    @given(few, st.sets(few, max_size=12))
    def test_who_is_near_is_found(self, written, candidates):
        near = {
            candidate: distance
            for candidate in candidates
            if (distance := edit_distance(written, candidate)) <= max_distance(written)
        }
        found = find_similar(written, candidates, limit=None)
        self.assertEqual({c: d for c, d in found if d != SAME_NAME}, near)
        self.assertEqual([d for _c, d in found], sorted(d for _c, d in found))
        self.assertEqual(find_similar(written, sorted(candidates), limit=2), found[:2])

    @checked
    @given(few | anything, st.sets(few | local_parts))
    def test_nobody_is_found_whose_length_was_not_asked_for(self, written, candidates):
        lowest, highest = length_range(written)
        found = find_similar(written, candidates, limit=None)
        if len(written) > MAX_LENGTH:
            self.assertFalse(found)
        for candidate, _distance in found:
            self.assertLessEqual(lowest, len(candidate))
            self.assertGreaterEqual(highest, len(candidate))
