package sqlite

// Tap stands between a database and the process that uses it, so that a simulation
// can kill that process at any of its changes. An error of a Tap is what the
// process gets.
type Tap interface {
	// Enter is called before each read and before each group of writes.
	Enter() error
	// Committing is called when a group of writes is about to get on the disk; an
	// error keeps it from that.
	Committing() error
	// Committed is called when a group of writes is on the disk and before anybody
	// is told. Neither may use the database.
	Committed() error
}

// SetTap makes t see what happens from now on; nil removes it.
func (db *DB) SetTap(t Tap) {
	if t == nil {
		t = untapped{}
	}
	db.tap.Store(&t)
}

// untapped is the Tap of a database that has none.
type untapped struct{}

func (untapped) Enter() error      { return nil }
func (untapped) Committing() error { return nil }
func (untapped) Committed() error  { return nil }

func (db *DB) tapped() Tap { return *db.tap.Load() }
