CREATE TABLE ledger_balance (
	address TEXT NOT NULL PRIMARY KEY,
	amount  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_entry (
	seq       INTEGER NOT NULL PRIMARY KEY,
	key       TEXT NOT NULL,
	payer     TEXT NOT NULL,
	payee     TEXT NOT NULL,
	amount    TEXT NOT NULL,
	time      TEXT NOT NULL,
	signature BLOB,
	prev      TEXT NOT NULL,
	hash      TEXT NOT NULL,
	UNIQUE (payer, key)
) STRICT;

