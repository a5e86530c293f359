CREATE TABLE market_agreement (
	id                  TEXT NOT NULL,
	role                TEXT NOT NULL,
	offer               TEXT NOT NULL,
	demand              TEXT NOT NULL,
	provider            TEXT NOT NULL,
	requestor           TEXT NOT NULL,
	offer_proposal      TEXT NOT NULL UNIQUE,
	demand_proposal     TEXT NOT NULL,
	offer_properties    TEXT NOT NULL,
	offer_constraints   TEXT NOT NULL,
	demand_properties   TEXT NOT NULL,
	demand_constraints  TEXT NOT NULL,
	state               TEXT NOT NULL,
	created             TEXT NOT NULL,
	valid_to            TEXT NOT NULL,
	approved            TEXT,
	session             TEXT,
	proposed_signature  TEXT,
	approved_signature  TEXT,
	committed_signature TEXT,
	deadline            TEXT,
	reason              TEXT,
	telling             TEXT,
	attempts            INTEGER NOT NULL DEFAULT 0,
	due                 TEXT,
	revision            INTEGER NOT NULL DEFAULT 0,
	changed             TEXT NOT NULL,
	PRIMARY KEY (id, role)
) STRICT;

CREATE INDEX market_agreement_approving ON market_agreement (deadline) WHERE state = 'Approving' AND role = 'Provider';

CREATE INDEX market_agreement_due ON market_agreement (due) WHERE telling IS NOT NULL;

CREATE INDEX market_agreement_open ON market_agreement (valid_to) WHERE state IN ('Proposal', 'Pending') AND telling IS NULL;

CREATE INDEX market_agreement_provider ON market_agreement (provider, created);

CREATE INDEX market_agreement_requestor ON market_agreement (requestor, created);

CREATE TABLE market_agreement_event (
	seq       INTEGER PRIMARY KEY,
	agreement TEXT NOT NULL,
	role      TEXT NOT NULL,
	owner     TEXT NOT NULL,
	session   TEXT,
	type      TEXT NOT NULL,
	by        TEXT NOT NULL,
	reason    TEXT,
	at        TEXT NOT NULL UNIQUE,
	UNIQUE (agreement, role, type),
	FOREIGN KEY (agreement, role) REFERENCES market_agreement (id, role) ON DELETE CASCADE
) STRICT;

CREATE INDEX market_agreement_event_owner ON market_agreement_event (owner, at);

CREATE TABLE market_demand (
	seq         INTEGER PRIMARY KEY,
	id          TEXT NOT NULL UNIQUE,
	node        TEXT NOT NULL,
	properties  TEXT NOT NULL,
	constraints TEXT NOT NULL,
	created     TEXT NOT NULL,
	expires     TEXT NOT NULL
) STRICT;

CREATE INDEX market_demand_expires ON market_demand (expires);

CREATE TABLE market_event (
	seq          INTEGER PRIMARY KEY AUTOINCREMENT,
	subscription TEXT NOT NULL,
	rank         INTEGER NOT NULL,
	turn         INTEGER NOT NULL,
	peer         TEXT NOT NULL,
	kind         TEXT NOT NULL,
	proposal     TEXT,
	agreement    TEXT,
	reason       TEXT,
	at           TEXT NOT NULL
) STRICT;

CREATE INDEX market_event_at ON market_event (at);

CREATE INDEX market_event_order ON market_event (subscription, rank, turn, seq);

CREATE INDEX market_event_peer ON market_event (subscription, rank, peer, turn);

CREATE TABLE market_negotiation (
	id           TEXT NOT NULL PRIMARY KEY,
	role         TEXT NOT NULL,
	subscription TEXT NOT NULL,
	offer        TEXT NOT NULL,
	demand       TEXT NOT NULL,
	requestor    TEXT NOT NULL,
	provider     TEXT NOT NULL,
	created      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX market_negotiation_begun ON market_negotiation (requestor, created) WHERE role = 'Provider';

CREATE INDEX market_negotiation_pair ON market_negotiation (demand, offer, role);

CREATE TABLE market_offer (
	seq         INTEGER PRIMARY KEY,
	id          TEXT NOT NULL UNIQUE,
	node        TEXT NOT NULL,
	properties  TEXT NOT NULL,
	constraints TEXT NOT NULL,
	created     TEXT NOT NULL,
	expires     TEXT NOT NULL,
	inserted    TEXT NOT NULL,
	signature   TEXT,
	withdrawn   INTEGER NOT NULL DEFAULT 0,
	withdrawal  TEXT
) STRICT;

CREATE INDEX market_offer_expires ON market_offer (expires);

CREATE TABLE market_proposal (
	id          TEXT NOT NULL PRIMARY KEY,
	prev        TEXT,
	issuer      TEXT NOT NULL,
	negotiation TEXT NOT NULL REFERENCES market_negotiation (id) ON DELETE CASCADE,
	properties  TEXT,
	constraints TEXT,
	state       TEXT NOT NULL,
	created     TEXT NOT NULL,
	expires     TEXT NOT NULL,
	reason      TEXT,
	telling     TEXT,
	attempts    INTEGER NOT NULL DEFAULT 0,
	due         TEXT
) STRICT;

CREATE INDEX market_proposal_due ON market_proposal (due) WHERE telling IS NOT NULL;

CREATE INDEX market_proposal_expires ON market_proposal (expires);

CREATE INDEX market_proposal_negotiation ON market_proposal (negotiation);

CREATE UNIQUE INDEX market_proposal_prev ON market_proposal (prev) WHERE prev IS NOT NULL;

