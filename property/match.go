package property

// Party is one side of a match: what it states about itself, and what it asks
// of the other side.
type Party struct {
	Properties  *Set
	Constraints *Constraint
}

// ParseParty reads the two texts of an Offer or a Demand, in the Compatible
// dialect. Errors are *SyntaxError or *LimitError.
func ParseParty(properties, constraints string) (p Party, err error) {
	if p.Properties, err = ParseSet(properties); err != nil {
		return Party{}, err
	}
	if p.Constraints, err = ParseConstraint(constraints); err != nil {
		return Party{}, err
	}
	return p, nil
}

// Match decides whether a Demand and an Offer fit: Undefined if either side is
// undecided, Yes if both are satisfied, else No. Only Yes is a match; Undefined
// says that more properties could make it one. Match allocates nothing, under
// the condition of Eval.
func Match(demand, offer Party) Verdict {
	return both(demand.Constraints.Eval(offer.Properties), offer.Constraints.Eval(demand.Properties))
}

func both(a, b Verdict) Verdict {
	switch {
	case a == Undefined || b == Undefined:
		return Undefined
	case a == Yes && b == Yes:
		return Yes
	}
	return No
}

// Mismatch is the outcome of a match with the properties that stand in its way,
// rendered as `name` or `name[aspect]`.
type Mismatch struct {
	Verdict Verdict  `json:"verdict"`
	Offer   []string `json:"offer,omitempty"`  // what the Demand misses in the Offer
	Demand  []string `json:"demand,omitempty"` // what the Offer misses in the Demand
}

// Compare decides as Match does and names what was missing. Properties that are
// there but have the wrong value are not named; Explain tells of them.
func Compare(demand, offer Party) Mismatch {
	toOffer := demand.Constraints.Resolve(offer.Properties)
	toDemand := offer.Constraints.Resolve(demand.Properties)
	return Mismatch{
		Verdict: both(toOffer.Verdict, toDemand.Verdict),
		Offer:   nameAll(toOffer.Unresolved),
		Demand:  nameAll(toDemand.Unresolved),
	}
}

// nameAll renders each reference once: $-suffixes are not part of names.
func nameAll(refs []Reference) []string {
	var list []string
	for _, r := range refs {
		list = append(list, r.String())
	}
	return distinct(list)
}
