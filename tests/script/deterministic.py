r"""More than forty scripts over the whole language, whose effect on the tables does not depend on chance.

They run on `item` (20 rows: id, n, x, word) and `entry` (name, value), which `TABLES` makes.
"""

# ruff: noqa: S608 - the only values put into SQL text are our own

from __future__ import annotations

TABLES = (
    "CREATE TABLE item (id int PRIMARY KEY, n bigint NOT NULL, x float8 NOT NULL, word text NOT NULL)",
    "CREATE TABLE entry (name text NOT NULL, value text)",
)
FILL = (
    "TRUNCATE item, entry",
    "INSERT INTO item SELECT i, i * 10, i / 4.0, 'word ' || i FROM generate_series(1, 20) AS i",
)
SEED = 20_031_001
"""The variable default_seed."""


def recording(*expressions: str) -> str:
    """A script that keeps the value of each expression."""
    lines = []
    for number, expression in enumerate(expressions):
        lines += [f"\\set v {expression}", f"INSERT INTO entry VALUES ('{number}', :v);"]
    return "\n".join(lines)


SCRIPTS: dict[str, str] = {
    "integers": recording(
        "1 + 2 * 3", "(1 + 2) * 3", "-7 / 2", "-7 % 3", "7 - -7", "+5", "- 3 * 2", "10 / 3 * 3"
    ),
    "largest integers": recording("9223372036854775807", "-9223372036854775808", "9223372036854775807 - 1"),
    "doubles": recording(
        "1.5 + 2", "0.1 + 0.2", "1e10", "1 / 3.0", ".5 * 4", "2.5e-3", "10.0 / 4", "1e300 * 10"
    ),
    "doubles of pi": recording("pi()", "sqrt(2)", "ln(10)", "exp(1)", "pow(2, 0.5)", "power(2, 10)", "-pi()"),
    "rounding": recording("int(2.5)", "int(3.5)", "int(-2.5)", "int(9.2)", "double(5)", "double(7) / 2"),
    "comparisons": recording("1 < 2", "2 <= 1", "2 > 1", "1 >= 1", "1 = 1.0", "1 <> 2", "1 != 1", "1.5 < 2"),
    "booleans": recording(
        "true and false", "TRUE OR false", "not true", "not false and true", "1 = 1 or 1 / 0 = 1"
    ),
    "nulls": recording(
        "null", "1 + null", "null and false", "null or true", "not null", "null is null", "1 isnull"
    ),
    "tests": recording(
        "5 is not null",
        "5 notnull",
        "true is true",
        "false is true",
        "1 = 1 is true",
        "null is not null",
        "1 is true",
    ),
    "cases": recording(
        "case when 1 = 2 then 3 when 2 = 2 then 4 else 5 end",
        "case when false then 1 end",
        "case when 0 then 1 else 2 end",
        "case when 3 then 1.5 else 2 end + 1",
        "case when null then 1 else case when true then 7 end end",
    ),
    "bits": recording(
        "6 & 3", "6 | 3", "6 # 3", "~5", "1 << 10", "-1024 >> 3", "~1 + 2", "1 | 2 + 4", "1 << 63"
    ),
    "precedence": recording(
        "1 + 2 < 4 and not 3 = 4",
        "2 * 3 % 4",
        "10 - 3 - 2",
        "100 / 10 / 2",
        "not 1 = 2",
        "1 + 1 = 2 is not null",
    ),
    "extremes": recording(
        "least(3, 1, 2)", "greatest(3, 1, 2)", "least(1, 2.5)", "greatest(1, 2.5, 2)", "least(4)"
    ),
    "functions": recording(
        "abs(-5)", "abs(-5.5)", "mod(17, 5)", "mod(-17, 5)", "ABS(-3)", "Pow(3, 2)", "debug(8)"
    ),
    "hashes": recording(
        "hash(10, 5432)", "hash_fnv1a(10, 5432)", "hash_murmur2(-1, 0)", "hash(7)", "hash_fnv1a(0)"
    ),
    "permutations": recording(
        "permute(0, 4)",
        "permute(3, 10, 5)",
        "permute(-1, 1000, 99)",
        "permute(123456, 1000000, 7)",
        "permute(0, 1)",
    ),
    "no choice": recording("random(7, 7)", "random_zipfian(3, 3, 1.1)", "random_gaussian(4, 4, 2.5)"),
    "variables": """
\\set a 5
\\set b :a * 2
\\set a :a + :b
UPDATE item SET n = n + :a WHERE id = :b;
INSERT INTO entry VALUES ('scale', :scale), ('client', :client_id);
""",
    "continued lines": "\\set a 1 + \\\n  2 + \\\n 3\nINSERT INTO entry VALUES ('a',\n  :a\n);\n",
    "comments": """
-- the first; with a semicolon
\\set a 3
/* a block; /* nested; */ still */
UPDATE item SET n = :a -- not :nothing
  WHERE /* id; */ id = 4;
""",
    "quotes": """
UPDATE item SET word = 'a;b''c--d' WHERE id = 1;
UPDATE item SET word = $$x;y'z$$ || $tag$;$$;$tag$ WHERE id = 2;
UPDATE item AS "a;b" SET word = E'it\\'s; \\\\' WHERE "a;b".id = 3;
""",
    "casts and slices": """
\\set a 7
UPDATE item SET word = (:a::text || '::' || (ARRAY[1, 2, 3])[1:2]::text) WHERE id = :a;
INSERT INTO entry SELECT 'range', x::int FROM (SELECT :a / 2 AS x) AS t;
""",
    "values in quotes": """
\\set a 6
UPDATE item SET word = 'number :a of :nothing at 12:30' WHERE id = :a;
INSERT INTO entry VALUES ('interval', (interval ':a hours')::text);
""",
    "values in names": """
\\set a 1
CREATE TABLE IF NOT EXISTS part_:a (id int);
INSERT INTO part_:a VALUES (:a);
INSERT INTO entry SELECT 'part', count(*) FROM part_:a;
""",
    "types of literals": """
\\set small 7
\\set large 5000000000
\\set real 0.5
\\set yes 1 = 1
INSERT INTO entry VALUES ('types', concat_ws(',', pg_typeof(:small), pg_typeof(:large), pg_typeof(:real),
  pg_typeof(:yes), pg_typeof(:small / 2), :small / 2, abs(-:small), :small + :large));
INSERT INTO entry SELECT 'rows', count(*) FROM generate_series(1, :small);
SELECT 1 LIMIT :small;
""",
    "statements without parameters": """
\\set a 3
ALTER TABLE entry ALTER COLUMN value SET DEFAULT :a;
INSERT INTO entry (name) VALUES ('default');
SET application_name = :a;
INSERT INTO entry VALUES ('setting', current_setting('application_name'));
""",
    "a condition": """
\\set a 5
\\if :a > 3
UPDATE item SET n = 1 WHERE id = 1;
\\endif
\\if :a > 7
UPDATE item SET n = 1 WHERE id = 2;
\\else
UPDATE item SET n = 2 WHERE id = 2;
\\endif
""",
    "alternatives": """
\\set a 2
\\if :a = 1
INSERT INTO entry VALUES ('one', :a);
\\elif :a = 2
INSERT INTO entry VALUES ('two', :a);
\\elif :a = 2
INSERT INTO entry VALUES ('never', :a);
\\else
INSERT INTO entry VALUES ('other', :a);
\\endif
""",
    "nested conditions": """
\\set a 4
\\if :a % 2 = 0
  \\if :a > 10
    INSERT INTO entry VALUES ('large', 'even');
  \\else
    \\if null
      INSERT INTO entry VALUES ('null', 'even');
    \\elif 7
      INSERT INTO entry VALUES ('small', 'even');
    \\endif
  \\endif
\\else
  INSERT INTO entry VALUES ('odd', :a / 0);
\\endif
""",
    "a branch that is not taken": """
\\if false
\\set a 1 / 0
SELECT 1 / 0;
\\endif
INSERT INTO entry VALUES ('after', 'it');
""",
    "gset": """
SELECT n AS amount, id + 1 AS next FROM item WHERE id = 3 \\gset
UPDATE item SET n = n + :amount WHERE id = :next;
SELECT max(id) AS id, word FROM item WHERE id = 5 GROUP BY word \\gset last_
\\set twice :last_id * 2
UPDATE item SET word = 'from :last_id, :twice' WHERE id = :twice;
""",
    "gset of each type": """
SELECT 7 AS a, 2.50 AS b, 0.25::double precision AS c, true AS d, 5000000000 AS e \\gset
\\set sum :a + :b + :c + :e
\\set both :d and :a > 6
INSERT INTO entry VALUES ('sum', :sum), ('both', :both), ('b', :b);
""",
    "aset": """
SELECT id AS first FROM item WHERE id = 1\\; SELECT id AS second FROM item WHERE id > 18 ORDER BY id \\aset
INSERT INTO entry VALUES ('first', :first), ('second', :second);
""",
    "joined statements": """
UPDATE item SET n = 0 WHERE id = 1\\; UPDATE item SET n = (SELECT n FROM item WHERE id = 1) + 5 WHERE id = 2;
BEGIN\\; UPDATE item SET n = 9 WHERE id = 3\\; COMMIT;
SELECT 4 AS four\\; SELECT 5 AS five \\gset
UPDATE item SET n = :five WHERE id = 4;
""",
    "a transaction": """
\\set a 2
BEGIN;
UPDATE item SET n = n - :a WHERE id = 1;
\\set a :a + 1
UPDATE item SET n = n + :a WHERE id = 2;
INSERT INTO entry SELECT 'total', sum(n) FROM item;
END;
""",
    "several transactions": """
BEGIN TRANSACTION;
UPDATE item SET n = n + 1 WHERE id = 1;
COMMIT WORK;
UPDATE item SET n = n * 2 WHERE id = 1;
START TRANSACTION;
UPDATE item SET n = n + 1 WHERE id = 1;
END TRANSACTION;
""",
    "a rollback": """
BEGIN;
UPDATE item SET n = 0;
ROLLBACK;
UPDATE item SET n = n + 1 WHERE id = 2;
""",
    "a choice of ends": """
BEGIN;
UPDATE item SET n = n - 60 WHERE id = 9;
SELECT n >= 0 AS enough FROM item WHERE id = 9 \\gset
\\if :enough
COMMIT;
\\else
ROLLBACK;
\\endif
INSERT INTO entry SELECT 'left', n FROM item WHERE id = 9
""",
    "savepoints": """
BEGIN;
UPDATE item SET n = 1 WHERE id = 1;
SAVEPOINT here;
UPDATE item SET n = 2 WHERE id = 1;
ROLLBACK TO SAVEPOINT here;
UPDATE item SET n = n + 5 WHERE id = 1;
COMMIT;
""",
    "sleeps": """
\\set pause 3
\\sleep 1 ms
BEGIN;
\\sleep :pause ms
UPDATE item SET n = :pause WHERE id = :pause;
END;
\\sleep 500 us
""",
    "from one execution to the next": """
\\set count :count + 1
INSERT INTO entry VALUES ('count', :count);
UPDATE item SET n = n + :count WHERE id = :count;
""",
}
PIPELINES: dict[str, str] = {
    "a pipeline": """
\\set a 3
\\startpipeline
UPDATE item SET n = n + :a WHERE id = 1;
\\set a :a + 1
UPDATE item SET n = n * :a WHERE id = 1;
\\endpipeline
INSERT INTO entry SELECT 'n', n FROM item WHERE id = 1;
""",
    "a transaction in a pipeline": """
\\startpipeline
BEGIN;
UPDATE item SET n = n + 1 WHERE id = 1;
UPDATE item SET n = n - 1 WHERE id = 2;
COMMIT;
\\if true
UPDATE item SET n = n * 3 WHERE id = 1;
\\endif
\\syncpipeline
UPDATE item SET n = n + 7 WHERE id = 1;
\\endpipeline
BEGIN;
\\startpipeline
UPDATE item SET n = n * 2 WHERE id = 3;
UPDATE item SET n = n + 1 WHERE id = 3;
\\endpipeline
SELECT n AS three FROM item WHERE id = 3 \\gset
END;
UPDATE item SET n = :three WHERE id = 4;
""",
}
"""Only with `-M prepared`."""
