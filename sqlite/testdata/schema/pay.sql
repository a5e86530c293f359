CREATE TABLE pay_activity (
	owner     TEXT NOT NULL,
	role      TEXT NOT NULL,
	id        TEXT NOT NULL,
	agreement TEXT NOT NULL,
	due       TEXT NOT NULL,
	accepted  TEXT NOT NULL,
	scheduled TEXT NOT NULL,
	paid      TEXT NOT NULL,
	created   TEXT NOT NULL,
	updated   TEXT NOT NULL,
	PRIMARY KEY (owner, role, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX pay_activity_agreement ON pay_activity (agreement, owner, role);

CREATE INDEX pay_activity_created ON pay_activity (owner, created);

CREATE TABLE pay_agreement (
	owner     TEXT NOT NULL,
	role      TEXT NOT NULL,
	id        TEXT NOT NULL,
	peer      TEXT NOT NULL,
	payee     TEXT NOT NULL,
	payer     TEXT NOT NULL,
	platform  TEXT NOT NULL,
	session   TEXT NOT NULL,
	due       TEXT NOT NULL,
	accepted  TEXT NOT NULL,
	scheduled TEXT NOT NULL,
	paid      TEXT NOT NULL,
	created   TEXT NOT NULL,
	updated   TEXT NOT NULL,
	PRIMARY KEY (owner, role, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX pay_agreement_created ON pay_agreement (owner, created);

CREATE TABLE pay_allocation (
	id       TEXT NOT NULL PRIMARY KEY,
	owner    TEXT NOT NULL,
	platform TEXT NOT NULL,
	address  TEXT NOT NULL,
	total    TEXT NOT NULL,
	spent    TEXT NOT NULL,
	state    TEXT NOT NULL,
	timeout  TEXT NOT NULL,
	created  TEXT NOT NULL,
	updated  TEXT NOT NULL,
	deposit_contract TEXT, -- in lower case, as is the id
	deposit_id       TEXT,
	deposit          TEXT  -- JSON
) STRICT, WITHOUT ROWID;

CREATE INDEX pay_allocation_account ON pay_allocation (platform, address) WHERE state = 'Active';

CREATE INDEX pay_allocation_deposit ON pay_allocation (deposit_contract, deposit_id) WHERE deposit IS NOT NULL;

CREATE INDEX pay_allocation_owner ON pay_allocation (owner, created) WHERE state = 'Active';

CREATE INDEX pay_allocation_timeout ON pay_allocation (timeout) WHERE state = 'Active';

CREATE TABLE pay_document (
	seq        INTEGER PRIMARY KEY, -- order of arrival
	owner      TEXT NOT NULL,
	role       TEXT NOT NULL,
	kind       TEXT NOT NULL,
	id         TEXT NOT NULL,
	peer       TEXT NOT NULL,
	agreement  TEXT NOT NULL,
	activity   TEXT,
	activities TEXT, -- JSON, of an invoice
	payee      TEXT NOT NULL,
	payer      TEXT NOT NULL,
	platform   TEXT NOT NULL,
	previous   TEXT,
	amount     TEXT NOT NULL,
	usage      TEXT, -- JSON
	due        TEXT,
	timestamp  TEXT NOT NULL,
	status     TEXT NOT NULL,
	rejection  TEXT, -- JSON
	updated    TEXT NOT NULL,
	UNIQUE (owner, role, kind, id)
) STRICT;

CREATE INDEX pay_document_activity ON pay_document (owner, role, activity);

CREATE INDEX pay_document_agreement ON pay_document (owner, role, agreement, kind);

CREATE INDEX pay_document_open ON pay_document (owner, role, agreement) WHERE status NOT IN ('SETTLED', 'CANCELLED');

CREATE INDEX pay_document_time ON pay_document (owner, kind, timestamp);

CREATE INDEX pay_document_waiting ON pay_document (owner, peer) WHERE role = 'Provider' AND status IN ('ISSUED', 'RECEIVED', 'ACCEPTED');

CREATE TABLE pay_event (
	seq       INTEGER PRIMARY KEY,
	owner     TEXT NOT NULL,
	role      TEXT NOT NULL,
	kind      TEXT NOT NULL,
	document  TEXT NOT NULL,
	type      TEXT NOT NULL,
	time      TEXT NOT NULL UNIQUE,
	session   TEXT NOT NULL,
	rejection TEXT -- JSON
) STRICT;

CREATE INDEX pay_event_time ON pay_event (owner, kind, time);

CREATE TABLE pay_message (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT, -- order of writing
	owner    TEXT NOT NULL,
	peer     TEXT NOT NULL, -- zero for a driver
	kind     TEXT NOT NULL,
	ref      TEXT NOT NULL,
	attempts INTEGER NOT NULL,
	refusals INTEGER NOT NULL,
	next     TEXT, -- NULL: not by itself
	problem  TEXT NOT NULL,
	created  TEXT NOT NULL,
	UNIQUE (owner, peer, kind, ref)
) STRICT;

CREATE INDEX pay_message_kind ON pay_message (kind);

CREATE INDEX pay_message_next ON pay_message (next, owner, peer) WHERE next IS NOT NULL;

CREATE INDEX pay_message_peer ON pay_message (peer, owner, next);

CREATE TABLE pay_obligation (
	seq        INTEGER PRIMARY KEY,
	owner      TEXT NOT NULL,
	kind       TEXT NOT NULL,
	document   TEXT NOT NULL,
	agreement  TEXT NOT NULL,
	activity   TEXT,
	allocation TEXT NOT NULL,
	peer       TEXT NOT NULL,
	payer      TEXT NOT NULL,
	payee      TEXT NOT NULL,
	platform   TEXT NOT NULL,
	amount     TEXT NOT NULL,
	due        TEXT,
	pay_at     TEXT NOT NULL,
	state      TEXT NOT NULL,
	order_id   TEXT,
	UNIQUE (owner, kind, document)
) STRICT;

CREATE INDEX pay_obligation_agreement ON pay_obligation (owner, agreement);

CREATE INDEX pay_obligation_allocation ON pay_obligation (allocation);

CREATE INDEX pay_obligation_order ON pay_obligation (order_id);

CREATE INDEX pay_obligation_payable ON pay_obligation (pay_at, owner, platform, payer) WHERE state = 'open';

CREATE INDEX pay_obligation_purse ON pay_obligation (owner, platform, payer) WHERE state = 'open';

CREATE INDEX pay_obligation_unpaid ON pay_obligation (platform, payer, amount) WHERE state <> 'paid';

CREATE TABLE pay_order (
	id       TEXT NOT NULL PRIMARY KEY,
	owner    TEXT NOT NULL,
	platform TEXT NOT NULL,
	payer    TEXT NOT NULL,
	payee    TEXT NOT NULL,
	amount   TEXT NOT NULL,
	due      TEXT,
	deposit  TEXT, -- JSON
	created  TEXT NOT NULL,
	settled  TEXT,
	proof    BLOB,
	ref      TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX pay_order_owner ON pay_order (owner, created);

CREATE INDEX pay_order_settled ON pay_order (platform, payer) WHERE settled IS NOT NULL;

CREATE TABLE pay_payment (
	owner        TEXT NOT NULL,
	role         TEXT NOT NULL,
	id           TEXT NOT NULL,
	recorded     TEXT NOT NULL UNIQUE,
	platform     TEXT NOT NULL,
	ref          TEXT NOT NULL,
	parts        TEXT NOT NULL, -- the sum of its parts
	order_id     TEXT,
	payment      TEXT NOT NULL, -- JSON
	signature    BLOB,
	signed_bytes BLOB,
	PRIMARY KEY (owner, role, id)
) STRICT;

CREATE INDEX pay_payment_claims ON pay_payment (platform, ref, parts) WHERE role = 'Provider';

CREATE INDEX pay_payment_recorded ON pay_payment (owner, recorded);

CREATE TABLE pay_payment_part (
	owner     TEXT NOT NULL,
	role      TEXT NOT NULL,
	agreement TEXT NOT NULL,
	activity  TEXT NOT NULL, -- '' for the agreement as a whole
	payment   TEXT NOT NULL,
	PRIMARY KEY (owner, role, agreement, activity, payment)
) STRICT, WITHOUT ROWID;

CREATE INDEX pay_payment_part_payment ON pay_payment_part (payment, owner, role);

