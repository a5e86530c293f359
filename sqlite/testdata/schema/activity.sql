CREATE TABLE activity_activity (
	seq        INTEGER PRIMARY KEY,
	id         TEXT NOT NULL,
	role       TEXT NOT NULL,
	owner      TEXT NOT NULL,
	peer       TEXT NOT NULL,
	agreement  TEXT NOT NULL,
	session    TEXT,
	confirmed  INTEGER NOT NULL,
	state      TEXT NOT NULL,
	pending    TEXT,
	reason     TEXT,
	error      TEXT,
	usage      TEXT NOT NULL,
	usage_time INTEGER NOT NULL,
	created    TEXT NOT NULL,
	updated    TEXT NOT NULL,
	reported   TEXT NOT NULL,
	lost       TEXT,
	destroying TEXT,
	UNIQUE (id, role)
) STRICT;

CREATE INDEX activity_activity_agreement ON activity_activity (agreement, role);

CREATE INDEX activity_activity_alive ON activity_activity (role) WHERE state <> 'Terminated';

CREATE INDEX activity_activity_ended ON activity_activity (updated) WHERE state = 'Terminated';

CREATE INDEX activity_activity_owner ON activity_activity (owner, agreement);

CREATE TABLE activity_batch (
	id       TEXT NOT NULL PRIMARY KEY,
	activity INTEGER NOT NULL REFERENCES activity_activity (seq) ON DELETE CASCADE,
	commands INTEGER NOT NULL,
	created  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX activity_batch_activity ON activity_batch (activity);

CREATE TABLE activity_event (
	seq        INTEGER PRIMARY KEY,
	activity   INTEGER NOT NULL REFERENCES activity_activity (seq) ON DELETE CASCADE,
	owner      TEXT NOT NULL,
	session    TEXT,
	type       TEXT NOT NULL,
	public_key TEXT,
	at         TEXT NOT NULL,
	UNIQUE (owner, at)
) STRICT;

CREATE INDEX activity_event_activity ON activity_event (activity);

