package market

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/golem-go/golem"
)

// term is a property that has a text, or is wanted to have it.
type term struct{ name, text string }

// maxTerm is the longest text the index knows; longer ones are left to matching.
const maxTerm = 64

// side is all Offers or all Demands, indexed both ways: by what they state and
// by what they want. Since an equality that is wanted must be among the terms
// that are stated, either index alone finds all matches; the smaller answer is
// taken. Entries that are gone stay in the index until they are half of it.
type side struct {
	byID   map[golem.SubscriptionID]*entry
	order  []*entry // by seq, some gone
	states map[term][]*entry
	wants  map[term][]*entry // each entry under one of its wants
	free   []*entry          // entries that want no equality
	choice map[string]int    // how many texts a property is wanted to have
	wanted map[term]bool     // those texts
}

func newSide() side {
	return side{
		byID: map[golem.SubscriptionID]*entry{}, states: map[term][]*entry{}, wants: map[term][]*entry{},
		choice: map[string]int{}, wanted: map[term]bool{},
	}
}

func (s *side) add(e *entry) {
	s.byID[e.sub.ID] = e
	s.order = append(s.order, e)
	s.file(e)
}

// file enters e in the index.
func (s *side) file(e *entry) {
	seen := map[term]bool{}
	for name, text := range e.party.Properties.Terms() {
		if t := (term{name, text}); len(text) <= maxTerm && !seen[t] {
			seen[t] = true
			s.states[t] = append(s.states[t], e)
		}
	}
	best := term{}
	for name, text := range e.party.Constraints.Equalities() {
		t := term{name, text}
		if len(text) > maxTerm {
			continue
		}
		if !s.wanted[t] {
			s.wanted[t] = true
			s.choice[name]++
		}
		// The more texts are wanted of a property, the fewer want the same.
		if best.name == "" || s.choice[name] > s.choice[best.name] {
			best = t
		}
	}
	if best.name == "" {
		s.free = append(s.free, e)
		return
	}
	s.wants[best] = append(s.wants[best], e)
}

// drop takes e off the side.
func (s *side) drop(e *entry) {
	e.gone = true
	delete(s.byID, e.sub.ID)
	const few = 64
	if len(s.order) < 2*len(s.byID)+few {
		return
	}
	rest := s.live()
	*s = newSide()
	for _, e := range rest {
		s.add(e)
	}
}

// live returns a copy of the entries that are not gone, by seq.
func (s *side) live() []*entry {
	es := make([]*entry, 0, len(s.byID))
	for _, e := range s.order {
		if !e.gone {
			es = append(es, e)
		}
	}
	return es
}

// expired returns the live entries that expired before now.
func (s *side) expired(now time.Time) (es []*entry) {
	for _, e := range s.order {
		if !e.gone && e.sub.Expired(now) {
			es = append(es, e)
		}
	}
	return es
}

// since returns the live entries added after the one with the given number.
func (s *side) since(seq int64) (es []*entry) {
	from := sort.Search(len(s.order), func(i int) bool { return s.order[i].seq > seq })
	for _, e := range s.order[from:] {
		if !e.gone {
			es = append(es, e)
		}
	}
	return es
}

// candidates returns the live entries that e, which is of the other side, may
// match and that came before it, by seq.
func (s *side) candidates(e *entry) []*entry {
	lists := s.stating(e)
	if wanting := s.wanting(e); count(wanting) < count(lists) {
		lists = wanting
	}
	var es []*entry
	for _, list := range lists {
		for _, c := range list {
			if !c.gone && c.seq < e.seq {
				es = append(es, c)
			}
		}
	}
	if len(lists) > 1 {
		slices.SortFunc(es, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	}
	return es
}

// stating returns the shortest list of those that state what e wants.
func (s *side) stating(e *entry) [][]*entry {
	best := s.order
	for name, text := range e.party.Constraints.Equalities() {
		if len(text) <= maxTerm {
			if list := s.states[term{name, text}]; len(list) < len(best) {
				best = list
			}
		}
	}
	return [][]*entry{best}
}

// wanting returns the lists of those that want what e states, or nothing. No
// entry is in two of them.
func (s *side) wanting(e *entry) [][]*entry {
	lists := [][]*entry{s.free}
	seen := map[term]bool{}
	for name, text := range e.party.Properties.Terms() {
		if t := (term{name, text}); len(s.wants[t]) > 0 && !seen[t] {
			seen[t] = true
			lists = append(lists, s.wants[t])
		}
	}
	return lists
}

func count(lists [][]*entry) (n int) {
	for _, l := range lists {
		n += len(l)
	}
	return n
}

// sortedKeys returns the keys of a map in order, so that nothing depends on the
// order of maps.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
