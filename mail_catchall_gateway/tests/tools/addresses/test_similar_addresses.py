import random

from odoo.tests.common import BaseCase

from ....tools.addresses.similar_addresses import (
    MAX_DISTANCE,
    MAX_LENGTH,
    SAME_NAME,
    find_similar,
    length_range,
    max_distance,
)

ALIASES = (
    "anna.b.c.d.smith",
    "daniel",
    "david.1984",
    "hr",
    "info",
    "jdupont",
    "jim.van.doe",
    "john.doe",
    "k.lee",
    "m2024",
    "mary.smith",
    "project.2024",
    "sales",
)


class TestSimilarAddresses(BaseCase):
    def test_short_local_parts_may_differ_less(self):
        # AUTO of Elasticsearch and OpenSearch: from 3 characters on one edit, from 6 on two
        for local_part, expected in [
            ("", 0),
            ("hr", 0),
            ("job", 1),
            ("sales", 1),
            ("daniel", 2),
            ("john.doe", 2),
            ("x" * 64, 2),
            ("x" * 65, 0),  # RFC 5321, 4.5.3.1.1
        ]:
            with self.subTest(local_part=local_part):
                self.assertEqual(max_distance(local_part), expected)

    def test_mistyped_local_parts(self):
        for local_part, expected in [
            # one edit of each kind
            ("jon.doe", [("john.doe", 1)]),
            ("johnn.doe", [("john.doe", 1)]),
            ("john.dow", [("john.doe", 1)]),
            ("jonh.doe", [("john.doe", 1)]),
            ("ohn.doe", [("john.doe", 1)]),
            # two
            ("jonh.deo", [("john.doe", 2)]),
            ("mari.smit", [("mary.smith", 2)]),
            ("danniell", [("daniel", 2)]),
            ("hjonn.deo", []),
            # a separator
            ("johndoe", [("john.doe", 1)]),
            ("john-doe", [("john.doe", 1)]),
            ("john_doe", [("john.doe", 1)]),
            ("jimvandoe", [("jim.van.doe", 2)]),
            # short ones
            ("slaes", [("sales", 1)]),
            ("slae", []),
            ("ifno", [("info", 1)]),
            ("pr", []),
            ("hrr", [("hr", 1)]),
            # the alias was made in the meantime
            ("john.doe", [("john.doe", 0)]),
            ("hr", [("hr", 0)]),
            # nobody's
            ("peter.pan", []),
            ("", []),
            (".", []),
            ('"john doe"', []),
        ]:
            with self.subTest(local_part=local_part):
                self.assertEqual(find_similar(local_part, ALIASES), expected)

    def test_the_same_name_otherwise_written(self):
        for local_part, expected in [
            ("j.doe", "john.doe"),
            ("j_doe", "john.doe"),
            ("jdoe", "john.doe"),  # as many companies write it
            ("m.smith", "mary.smith"),
            ("mary.s", "mary.smith"),
            ("doe.john", "john.doe"),
            ("doe-john", "john.doe"),
            ("doe.j", "john.doe"),
            ("jean.dupont", "jdupont"),
            ("kate.lee", "k.lee"),
            ("doe.jim.van", "jim.van.doe"),
            ("van.doe.jim", "jim.van.doe"),
        ]:
            with self.subTest(local_part=local_part):
                self.assertEqual(find_similar(local_part, ALIASES), [(expected, SAME_NAME)])
        for local_part in (
            "j.d",  # initials alone
            "doejohn",
            "john.van.doe",
            "j.roe",
            "mary",
            "jdoe.",
            "project.2",  # 2 is no initial of 2024
            "a.b.c.d.smith",  # more parts than a name has
            "d1984",  # a letter and a number is no name
            "mary.2024",  # the other way round
            "(.doe",
            "j..*",
        ):
            with self.subTest(local_part=local_part):
                self.assertEqual(find_similar(local_part, ALIASES), [])

    def test_initials_alone_are_nobodys_name(self):
        self.assertEqual(find_similar("john.doe", ["j.d"]), [])

    def test_an_initial_that_fits_several_names_fits_none(self):
        several = ["john.doe", "joseph.doe"]
        for local_part in ("j.doe", "jdoe", "doe.j"):
            with self.subTest(local_part=local_part):
                self.assertEqual(find_similar(local_part, several), [])
        # one of them at an edit's distance does not decide it
        self.assertEqual(find_similar("j.doe", ["jo.doe", "john.doe"]), [("jo.doe", 1)])

    def test_the_nearest_stands_first(self):
        for local_part, candidates, expected in [
            ("joe.doe", ["jim.doe", "joey.doe"], ["joey.doe", "jim.doe"]),
            # other separators before other letters
            ("john.doe", ["john.dee", "john_doe"], ["john_doe", "john.dee"]),
            # the first letter is seldom wrong
            ("jon.doe", ["don.doe", "joe.doe"], ["joe.doe", "don.doe"]),
            # the alphabet, not the order of the candidates
            ("jon.doe", ["jos.doe", "job.doe", "jow.doe"], ["job.doe", "jos.doe", "jow.doe"]),
            # the same name behind every edit
            ("m.smith", ["mary.smith", "n.smyth"], ["n.smyth", "mary.smith"]),
        ]:
            for given in (candidates, candidates[::-1], iter(candidates), set(candidates)):
                with self.subTest(local_part=local_part, given=given):
                    found = find_similar(local_part, given)
                    self.assertEqual([candidate for candidate, _distance in found], expected)

    def test_no_more_than_asked_for(self):
        candidates = [f"jo{letter}n.doe" for letter in "abcdefgh"]
        self.assertEqual(len(find_similar("jon.doe", candidates)), 5)
        self.assertEqual(find_similar("jon.doe", candidates[::-1], limit=1), [("joan.doe", 1)])
        self.assertEqual(find_similar("jon.doe", []), [])

    def test_what_is_no_local_part_is_not_compared(self):
        long = "x" * MAX_LENGTH
        self.assertEqual(find_similar(long, [long + "y"]), [(long + "y", 1)])
        for local_part in (long + "y", "x" * 10**7, "j." * 10**6 + "doe"):
            with self.subTest(length=len(local_part)):
                # what is no iterable raises if anything looks at it
                self.assertEqual(find_similar(local_part, None), [])
                self.assertEqual(length_range(local_part), (1, 0))

    def test_hostile_text_raises_nothing(self):
        for local_part in (
            "\ud800.doe",
            "\0",
            "a\nb",
            "[.doe",
            "(?:.x*",
            "\\.doe",
            "é.doe",
            '".doe',
        ):
            with self.subTest(local_part=local_part):
                self.assertEqual(find_similar(local_part, ["mary.smith", "a" * 10**6]), [])

    def test_lengths_to_query(self):
        for local_part, expected in [
            ("hr", (2, 2)),
            ("jim", (2, 4)),
            ("j.d", (2, 4)),
            ("jdoe", (3, MAX_LENGTH + 1)),
            ("j.doe", (4, MAX_LENGTH + 1)),
            ("john.doe", (4, 10)),  # jdoe to two edits more
            ("sales.2", (5, 9)),
            ("", (1, 0)),
        ]:
            with self.subTest(local_part=local_part):
                self.assertEqual(length_range(local_part), expected)

    def test_nothing_is_found_beyond_the_lengths_to_query(self):
        random_text = random.Random(5233)

        def word():
            return "".join(random_text.choices("abj1.-_d", k=random_text.randint(1, 9)))

        distances = set()
        for _round in range(3000):
            local_part, candidates = word(), {word() for _count in range(30)}
            lowest, highest = length_range(local_part)
            found = find_similar(local_part, candidates, limit=None)
            queried = [name for name in candidates if lowest <= len(name) <= highest]
            self.assertEqual(find_similar(local_part, queried, limit=None), found, local_part)
            distances.update(distance for _candidate, distance in found)
        self.assertEqual(distances, {0, 1, 2, SAME_NAME})
        self.assertEqual((MAX_DISTANCE, SAME_NAME), (2, 3))
