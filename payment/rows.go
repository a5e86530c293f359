package payment

import "reflect"

// rows are those rows of one table that a step has looked at: as they were, and
// as they are to be.
type rows[K comparable, V any] struct {
	keys []K // in the order of first use, so that a step is deterministic
	was  map[K]*V
	is   map[K]*V
}

func newRows[K comparable, V any]() rows[K, V] {
	return rows[K, V]{was: map[K]*V{}, is: map[K]*V{}}
}

// get returns the working copy of a row, loading it at the first time.
func (t *rows[K, V]) get(k K, load func(K) (V, error)) (*V, error) {
	if v := t.is[k]; v != nil {
		return v, nil
	}
	v, err := load(k)
	if err != nil {
		return nil, err
	}
	return t.loaded(k, v), nil
}

// loaded returns the working copy of a row that was read in a list.
func (t *rows[K, V]) loaded(k K, v V) *V {
	if have := t.is[k]; have != nil {
		return have
	}
	t.was[k] = new(v)
	return t.add(k, v)
}

// add returns the working copy of a new row.
func (t *rows[K, V]) add(k K, v V) *V {
	t.keys = append(t.keys, k)
	t.is[k] = &v
	return &v
}

// changed returns what must be written.
func (t *rows[K, V]) changed() (vs []V) {
	t.each(func(was, is *V) {
		if was == nil || !reflect.DeepEqual(was, is) {
			vs = append(vs, *is)
		}
	})
	return vs
}

// each calls f for every row; was is nil for a new one.
func (t *rows[K, V]) each(f func(was, is *V)) {
	for _, k := range t.keys {
		f(t.was[k], t.is[k])
	}
}
