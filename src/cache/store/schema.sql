-- The tables of cache.db. What is needed to choose among entries stands apart from their texts and
-- vectors, so that a choice does not read those.
CREATE TABLE entries (
    row   INTEGER PRIMARY KEY,
    key   BLOB NOT NULL,
    id    BLOB NOT NULL,
    scope BLOB NOT NULL,
    head  BLOB NOT NULL,
    hits  INTEGER NOT NULL,
    sum   BLOB NOT NULL
) STRICT;
-- Listing keys and ids reads this alone.
CREATE INDEX entries_by_key ON entries (key, id);
CREATE TABLE bodies (
    row    INTEGER PRIMARY KEY REFERENCES entries (row) ON DELETE CASCADE,
    prompt BLOB NOT NULL,
    answer BLOB NOT NULL
) STRICT;
CREATE TABLE vectors (
    row      INTEGER PRIMARY KEY REFERENCES entries (row) ON DELETE CASCADE,
    embedder BLOB NOT NULL,
    vector   BLOB NOT NULL,
    sum      BLOB NOT NULL
) STRICT;
CREATE TABLE states (
    name  TEXT PRIMARY KEY,
    bytes BLOB NOT NULL,
    sum   BLOB NOT NULL
) STRICT;
-- Pairs of questions that a caller found to have different answers: newest last, some thousand.
CREATE TABLE apart (row INTEGER PRIMARY KEY, pair BLOB NOT NULL UNIQUE) STRICT;
-- The latest moment that the file has seen, in nanoseconds since 1970.
CREATE TABLE clock (one INTEGER PRIMARY KEY CHECK (one = 1), seen INTEGER NOT NULL) STRICT;
