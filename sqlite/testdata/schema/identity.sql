CREATE TABLE identity_appkey (
	name          TEXT NOT NULL PRIMARY KEY,
	key           TEXT NOT NULL UNIQUE,
	role          TEXT NOT NULL,
	node          TEXT NOT NULL REFERENCES identity_key (node),
	allow_origins TEXT NOT NULL, -- JSON array of texts
	created       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX identity_appkey_node ON identity_appkey (node);

CREATE TABLE identity_key (
	node       TEXT NOT NULL PRIMARY KEY, -- 0x and 40 lower-case hex digits
	alias      TEXT UNIQUE,
	keyfile    TEXT NOT NULL,             -- Ethereum keystore v3 JSON
	protected  INTEGER NOT NULL CHECK (protected IN (0, 1)),  -- by a password
	is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),
	dropped    INTEGER NOT NULL CHECK (dropped IN (0, 1)),
	created    TEXT NOT NULL,
	CHECK (NOT (is_default AND dropped))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX identity_key_default ON identity_key (is_default) WHERE is_default = 1;

