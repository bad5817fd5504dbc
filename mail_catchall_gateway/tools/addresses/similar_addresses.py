"""Whom a local part that nobody has was meant for."""

import re

from rapidfuzz import process
from rapidfuzz.distance import OSA

#: Edits between what was written and what was meant.
MAX_DISTANCE = 2
#: In the place of a distance: the same name, otherwise written. No edit distance is as high.
SAME_NAME = MAX_DISTANCE + 1
#: A longer local part is no address (RFC 5321, 4.5.3.1.1), and comparing it can take minutes.
MAX_LENGTH = 64

_PART = re.compile(r"[^._-]+")
_MAX_PARTS = 4  # of a name: first, "van", "der", last


def max_distance(local_part):
    """Return how far a suggestion may be away: an edit for every three characters.

    Two characters allow none, for ``hr`` is not ``pr``. Full-text search engines count likewise.
    """
    return min(MAX_DISTANCE, len(local_part) // 3) if len(local_part) <= MAX_LENGTH else 0


def length_range(local_part):
    """Return the lowest and highest length of what ``find_similar`` can find, to query no others.

    The lowest is above the highest where none can be found.
    """
    if not 0 < len(local_part) <= MAX_LENGTH:
        return 1, 0
    distance, parts = max_distance(local_part), _name_parts(local_part)
    # john.doe can be jdoe; j.doe and jdoe can be a name of any length
    lowest = min([len(local_part) - distance] + [len(part) + 1 for part in parts if len(part) > 1])
    is_open = any(map(_is_initial, parts))
    return lowest, (MAX_LENGTH if is_open else len(local_part)) + distance


def find_similar(local_part, candidates, limit=5):
    """Return the local parts that this one may have been meant for.

    First those within ``max_distance``: edits are inserted, missing, wrong and transposed
    characters (optimal string alignment). At the same distance, one with the same letters and
    other separators comes first, then one with the same first letter, then the alphabet. Behind
    them, with the distance ``SAME_NAME``, the only candidate that has the same name with initials
    (``j.doe``, ``jdoe``) or its last part first (``doe.john``).

    :param str local_part: what was written, in lower case and without its subaddress
    :param candidates: local parts that somebody has, each once, in lower case
    :param int limit: how many to return at most
    :return list: (candidate, distance) pairs, the nearest first
    """
    if not 0 < len(local_part) <= MAX_LENGTH:
        return []
    candidates = list(candidates)
    options = {"scorer": OSA.distance, "score_cutoff": max_distance(local_part), "limit": None}
    matches = process.extract(local_part, candidates, **options)
    found = {candidate: distance for candidate, distance, _index in matches}
    ranked = sorted(found.items(), key=lambda item: _rank(local_part, *item))
    same_name = _find_same_name(local_part, candidates)
    # two that fit leave it open who was meant
    if len(same_name) == 1 and same_name[0] not in found:
        ranked.append((same_name[0], SAME_NAME))
    return ranked[:limit]


def _rank(local_part, candidate, distance):
    letters, written = ("".join(_PART.findall(text)) for text in (candidate, local_part))
    return distance, letters != written, candidate[:1] != local_part[:1], candidate


def _find_same_name(local_part, candidates):
    """Return the candidates that differ in initials, the order of parts or separators only."""
    parts = _name_parts(local_part)
    if not parts:
        return []
    orders = (parts, parts[1:] + parts[:1], parts[-1:] + parts[:-1])
    patterns = ["[._-]".join(map(_part_pattern, order)) for order in orders]
    if parts[0].isalpha() and parts[-1].isalpha() and len(parts[-1]) > 1:
        patterns.append(parts[0][0] + parts[-1])  # jdoe
    fits = re.compile("|".join(patterns)).fullmatch
    # one word at least is the same, for initials alone are nobody's name; to look for it is cheap
    words = [part for part in parts if len(part) > 1]
    same = (name for word in words for name in candidates if word in name and fits(name))
    return list(dict.fromkeys(same))


def _name_parts(local_part):
    """Return the parts of a name, at least one of them longer than a letter; else none."""
    parts = _PART.findall(local_part)
    if len(parts) == 1 and len(local_part) > 3 and local_part.isalpha():
        parts = [local_part[0], local_part[1:]]  # jdoe
    is_name = 1 < len(parts) <= _MAX_PARTS and any(len(part) > 1 for part in parts)
    return parts if is_name else []


def _part_pattern(part):
    if _is_initial(part):
        return rf"{part}[^._-]*"
    return rf"{part[0]}(?:{part[1:]})?" if part.isalpha() else re.escape(part)


def _is_initial(part):
    return len(part) == 1 and part.isalpha()  # the 2 of sales.2 does not stand for 2024
