"""How long it takes to find whom a mistyped address was meant for, by the number of aliases.

    createdb scratch
    .state/venv/bin/python benchmarks/similar_addresses.py "dbname=scratch"
    dropdb scratch

The argument is a libpq connection string of a database of your own; it needs psycopg2 and
rapidfuzz, but no Odoo. The table made there has the columns and indexes of Odoo's ``mail_alias``
under another name, and is dropped at the end. Figures are medians of 20 warm runs: the query as
the client waits for it, the comparison of what it returned, and both. Run it more than once;
other work on the machine shows in it.

``typo`` is a mistyped first.last of the commonest length, ``initial`` a j.last, for which names of
any length are read, ``same length`` a typo where all aliases are of one length.
"""

import collections
import importlib.util
import pathlib
import random
import statistics
import sys
import time

import psycopg2

RUNS = 20
COUNTS = (1_000, 10_000, 100_000)
TOOL = "mail_catchall_gateway/tools/similar_addresses.py"

TABLE = """
    CREATE TABLE benchmark_alias (
        id serial PRIMARY KEY, alias_domain_id integer, alias_model_id integer DEFAULT 1,
        alias_force_thread_id integer, alias_parent_model_id integer DEFAULT 2,
        alias_parent_thread_id integer, create_uid integer DEFAULT 1, write_uid integer DEFAULT 1,
        alias_name varchar, alias_full_name varchar, alias_contact varchar DEFAULT 'everyone',
        alias_status varchar DEFAULT 'not_tested', alias_bounced_content jsonb,
        alias_defaults text DEFAULT '{}', alias_incoming_local boolean DEFAULT false,
        is_user_alias boolean DEFAULT true, alias_user_id integer DEFAULT 2,
        alias_is_further boolean DEFAULT false, alias_expiration date,
        create_date timestamp DEFAULT now(), write_date timestamp DEFAULT now());
    CREATE UNIQUE INDEX ON benchmark_alias (alias_name, COALESCE(alias_domain_id, 0));
    CREATE INDEX ON benchmark_alias (alias_full_name) WHERE alias_full_name IS NOT NULL;
"""
# nothing but the index is read as long as autovacuum keeps up
INDEX = """
    CREATE INDEX benchmark_alias_length
    ON benchmark_alias (alias_domain_id, length(alias_name)) INCLUDE (alias_name)
    WHERE alias_name IS NOT NULL
"""
FILL = """
    INSERT INTO benchmark_alias (alias_domain_id, alias_name, alias_full_name)
    SELECT 1, name, name || '@acme.test' FROM unnest(%s) AS name
"""
QUERY = """
    SELECT string_agg(alias_name, E'\\n') FROM benchmark_alias
    WHERE alias_domain_id = %s AND alias_name IS NOT NULL
    AND length(alias_name) BETWEEN %s AND %s
"""

FIRST_NAMES = (
    "james mary robert patricia john jennifer michael linda david elizabeth william barbara "
    "richard susan joseph jessica thomas sarah charles karen christopher lisa daniel nancy "
    "matthew betty anthony sandra mark ashley donald emily steven kimberly andrew margaret paul "
    "donna joshua michelle kenneth carol kevin amanda brian melissa george deborah timothy "
    "stephanie ronald rebecca jason sharon edward laura jeffrey cynthia ryan kathleen jacob amy"
).split()
SYLLABLES = (
    "an ar ba bel ber bo bur ca chen co den der do el en fa fen ga gar go han har hol ing ja jen "
    "ka kel ker ki la lan ler li lo mar mer mo na ner no ol per po ra ren ro sa sen son ta ter "
    "to ul va ver wil yo za"
).split()


def load_tool():
    path = pathlib.Path(__file__).resolve().parent.parent / TOOL
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_names(count, length=None):
    """Return as many different first.last, in no order, of one length if it is given."""
    rng, names = random.Random(count), {}
    while len(names) < count:
        last = "".join(rng.choices(SYLLABLES, k=rng.choice((2, 2, 3, 3, 4))))
        name = f"{rng.choice(FIRST_NAMES)}.{last}"
        if length in (None, len(name)):
            names[name] = None
    return list(names)


def make_cases(count):
    """Yield (case, names, local part that is written)."""
    names = make_names(count)
    length = collections.Counter(map(len, names)).most_common(1)[0][0]
    name = next(name for name in names if len(name) == length)
    typo = name[:2] + name[3:-1] + "x"
    yield "typo", names, typo
    yield "initial", names, name[0] + name[name.index(".") :]
    yield "same length", make_names(count, length), typo


def measure(cursor, tool, local_part):
    """Return the number of candidates and the medians of query, comparison and both in ms."""
    times = []
    for _run in range(RUNS + 2):
        start = time.perf_counter()
        cursor.execute(QUERY, (1, *tool.length_range(local_part)))
        candidates = (cursor.fetchone()[0] or "").split()
        queried = time.perf_counter()
        tool.find_similar(local_part, candidates)
        compared = time.perf_counter()
        times.append((queried - start, compared - queried, compared - start))
    warm = zip(*times[2:], strict=True)
    return len(candidates), *(1000 * statistics.median(column) for column in warm)


def main(dsn):
    tool = load_tool()
    connection = psycopg2.connect(dsn)
    connection.autocommit = True  # VACUUM runs in no transaction
    cursor = connection.cursor()
    print("aliases  case         index  candidates  query ms  compare ms  in all ms")
    for count in COUNTS:
        for case, names, local_part in make_cases(count):
            cursor.execute(TABLE)
            try:
                cursor.execute(FILL, (names,))
                for index in ("", INDEX):
                    cursor.execute(index or "SELECT")
                    cursor.execute("VACUUM ANALYZE benchmark_alias")
                    found, *medians = measure(cursor, tool, local_part)
                    columns = (count, case, "yes" if index else "no", found, *medians)
                    print("{:7}  {:11}  {:5}  {:10}  {:8.1f}  {:10.1f}  {:9.1f}".format(*columns))
            finally:
                cursor.execute("DROP TABLE benchmark_alias")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
