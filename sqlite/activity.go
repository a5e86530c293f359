package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
)

// Activity is the part of the database that keeps activities.
type Activity struct{ db *DB }

var _ activity.Store = (*Activity)(nil)

// Activity returns the part of the database that keeps activities.
func (db *DB) Activity() *Activity { return &Activity{db} }

const (
	activityColumns = `id, role, owner, peer, agreement, session, confirmed, state, pending, reason, error,
		usage, usage_time, created, updated, reported, lost, destroying`

	sqlActivity = `SELECT ` + activityColumns + ` FROM activity_activity WHERE id = ? AND role = ?`

	sqlActivitySeq = `SELECT seq FROM activity_activity WHERE id = ? AND role = ?`

	sqlActivitiesOwned = `SELECT ` + activityColumns + ` FROM activity_activity WHERE owner = ? ORDER BY seq`

	sqlActivitiesOfAgreement = `SELECT ` + activityColumns + ` FROM activity_activity
		WHERE owner = ? AND agreement = ? ORDER BY seq`

	sqlActivitiesAlive = `SELECT ` + activityColumns + ` FROM activity_activity
		WHERE role = ? AND state <> 'Terminated' ORDER BY seq`

	sqlActivitiesAliveCount = `SELECT count(*) FROM activity_activity
		WHERE agreement = ? AND role = ? AND state <> 'Terminated'`

	sqlActivityInsert = `INSERT INTO activity_activity (` + activityColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id, role) DO NOTHING`

	sqlActivityUpdate = `UPDATE activity_activity SET id = ?, role = ?, owner = ?, peer = ?, agreement = ?, session = ?,
		confirmed = ?, state = ?, pending = ?, reason = ?, error = ?, usage = ?, usage_time = ?,
		created = ?, updated = ?, reported = ?, lost = ?, destroying = ? WHERE id = ? AND role = ?`

	sqlActivitiesForget = `DELETE FROM activity_activity WHERE state = 'Terminated' AND updated < ?`

	sqlActivityEventInsert = `INSERT INTO activity_event (activity, owner, session, type, public_key, at)
		SELECT seq, owner, session, ?, ?, ? FROM activity_activity WHERE id = ? AND role = ?`

	sqlActivityEventLast = `SELECT at FROM activity_event WHERE owner = ? ORDER BY at DESC LIMIT 1`

	sqlActivityEvents = `SELECT a.id, a.agreement, e.type, e.public_key, e.at
		FROM activity_event AS e JOIN activity_activity AS a ON a.seq = e.activity
		WHERE e.owner = ? AND e.at > ? AND (? = '' OR e.session = ?) ORDER BY e.at LIMIT ?`

	sqlActivityBatchInsert = `INSERT INTO activity_batch (id, activity, commands, created) VALUES (?, ?, ?, ?)`

	sqlActivityBatch = `SELECT b.id, a.id, b.commands, b.created
		FROM activity_batch AS b JOIN activity_activity AS a ON a.seq = b.activity WHERE b.id = ?`
)

// AddActivity implements [activity.Store].
func (s *Activity) AddActivity(ctx context.Context, r *activity.Record, most int, ev *golem.ProviderEvent) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		if alive, err := one(tx, scalar[int], sqlActivitiesAliveCount, r.Agreement, r.Role); err != nil {
			return err
		} else if alive >= most {
			return golem.Errorf(golem.ErrExhausted, "agreement %s has %d activities at a time, more are not allowed", r.Agreement, alive)
		}
		row, err := activityRow(r)
		if err != nil {
			return err
		}
		if err := tx.change(activityTaken(r.ID), sqlActivityInsert, row...); err != nil {
			return err
		}
		return addActivityEvent(tx, r, ev)
	})
}

func activityTaken(id golem.ActivityID) error {
	return golem.Errorf(golem.ErrConflict, "activity %s exists already", id)
}

func activityUnknown(id golem.ActivityID, err error) error {
	if errors.Is(err, errNoRow) {
		return golem.Errorf(golem.ErrNotFound, "activity %s not found", id)
	}
	return err
}

// addActivityEvent adds ev, if any, with a date after all others of its owner.
func addActivityEvent(tx *Tx, r *activity.Record, ev *golem.ProviderEvent) error {
	if ev == nil {
		return nil
	}
	last, err := one(tx, scanTime, sqlActivityEventLast, text{r.Owner})
	if err != nil && !errors.Is(err, errNoRow) {
		return err
	}
	date := ev.Date
	if !date.After(last) {
		date = last.Add(time.Microsecond)
	}
	name, key := activityDestroyed, ""
	if ev.Type.Create != nil {
		name, key = activityCreated, ev.Type.Create.PublicKey
	}
	_, err = tx.exec(sqlActivityEventInsert, name, orNull(key), at(date), r.ID, r.Role)
	return err
}

// Names of events in the table.
const (
	activityCreated   = "CreateActivity"
	activityDestroyed = "DestroyActivity"
)

func scanTime(r row) (t time.Time, err error) {
	err = r.Scan(into(&t))
	return t, err
}

// Activity implements [activity.Store].
func (s *Activity) Activity(ctx context.Context, id golem.ActivityID, role golem.Role) (*activity.Record, error) {
	r, err := readOne(ctx, s.db, scanActivity, sqlActivity, id, role)
	return r, activityUnknown(id, err)
}

// OwnedActivities implements [activity.Store].
func (s *Activity) OwnedActivities(ctx context.Context, owner golem.NodeID, agreement golem.AgreementID) ([]*activity.Record, error) {
	if agreement == "" {
		return readAll(ctx, s.db, scanActivity, sqlActivitiesOwned, text{owner})
	}
	return readAll(ctx, s.db, scanActivity, sqlActivitiesOfAgreement, text{owner}, agreement)
}

// AliveActivities implements [activity.Store].
func (s *Activity) AliveActivities(ctx context.Context, role golem.Role) ([]*activity.Record, error) {
	return readAll(ctx, s.db, scanActivity, sqlActivitiesAlive, role)
}

// ChangeActivity implements [activity.Store].
func (s *Activity) ChangeActivity(ctx context.Context, id golem.ActivityID, role golem.Role, change func(*activity.Record) (*golem.ProviderEvent, error)) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		r, err := one(tx, scanActivity, sqlActivity, id, role)
		if err != nil {
			return activityUnknown(id, err)
		}
		ev, err := change(r)
		if err != nil {
			return err
		}
		if r.ID != id {
			if _, err := one(tx, scalar[int64], sqlActivitySeq, r.ID, role); err == nil {
				return activityTaken(r.ID)
			} else if !errors.Is(err, errNoRow) {
				return err
			}
		}
		row, err := activityRow(r)
		if err != nil {
			return err
		}
		if _, err := tx.exec(sqlActivityUpdate, append(row, id, role)...); err != nil {
			return err
		}
		return addActivityEvent(tx, r, ev)
	})
}

// Events implements [activity.Store].
func (s *Activity) Events(ctx context.Context, q activity.EventQuery) ([]golem.ProviderEvent, error) {
	after := q.After.UTC().Format(timeLayout)
	return readAll(ctx, s.db, scanActivityEvent, sqlActivityEvents, text{q.Owner}, after, q.Session, q.Session, q.Most)
}

// AddBatch implements [activity.Store].
func (s *Activity) AddBatch(ctx context.Context, b activity.Batch) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		seq, err := one(tx, scalar[int64], sqlActivitySeq, b.Activity, golem.Requestor)
		if err != nil {
			return activityUnknown(b.Activity, err)
		}
		_, err = tx.exec(sqlActivityBatchInsert, b.ID, seq, b.Commands, at(b.Created))
		return err
	})
}

// Batch implements [activity.Store].
func (s *Activity) Batch(ctx context.Context, id golem.BatchID) (activity.Batch, error) {
	b, err := readOne(ctx, s.db, scanActivityBatch, sqlActivityBatch, id)
	if errors.Is(err, errNoRow) {
		err = golem.Errorf(golem.ErrNotFound, "batch %s not found", id)
	}
	return b, err
}

// ForgetActivities implements [activity.Store].
func (s *Activity) ForgetActivities(ctx context.Context, before time.Time) error {
	return s.db.Write(ctx, func(tx *Tx) error {
		_, err := tx.exec(sqlActivitiesForget, at(before))
		return err
	})
}

// activityRow returns the values of activityColumns.
func activityRow(r *activity.Record) ([]any, error) {
	usage, err := json.Marshal(r.Usage.Current)
	if err != nil {
		return nil, err
	}
	state := r.Status.State
	return []any{
		r.ID, r.Role, text{r.Owner}, text{r.Peer}, r.Agreement, orNull(r.Session), r.Confirmed,
		state.Current, orNull(state.Pending), orNull(r.Status.Reason), orNull(r.Status.ErrorMessage),
		string(usage), r.Usage.Timestamp, at(r.Created), at(r.Updated), at(r.Reported), at(r.Lost), at(r.Destroying),
	}, nil
}

func scanActivity(row row) (*activity.Record, error) {
	r := new(activity.Record)
	var usage string
	state := &r.Status.State
	err := row.Scan(
		&r.ID, &r.Role, into(&r.Owner), into(&r.Peer), &r.Agreement, nullable[string]{&r.Session}, &r.Confirmed,
		&state.Current, nullable[golem.ActivityState]{&state.Pending}, nullable[string]{&r.Status.Reason}, nullable[string]{&r.Status.ErrorMessage},
		&usage, &r.Usage.Timestamp, into(&r.Created), into(&r.Updated), into(&r.Reported), into(&r.Lost), into(&r.Destroying))
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal([]byte(usage), &r.Usage.Current)
}

func scanActivityEvent(row row) (ev golem.ProviderEvent, err error) {
	var name, key string
	if err := row.Scan(&ev.Activity, &ev.Agreement, &name, nullable[string]{&key}, into(&ev.Date)); err != nil {
		return ev, err
	}
	if name == activityCreated {
		ev.Type.Create = &golem.CreateActivityEvent{PublicKey: key}
	} else {
		ev.Type.Destroy = &golem.DestroyActivityEvent{}
	}
	return ev, nil
}

func scanActivityBatch(row row) (b activity.Batch, err error) {
	err = row.Scan(&b.ID, &b.Activity, &b.Commands, into(&b.Created))
	return b, err
}
