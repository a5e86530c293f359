package golem

// Identity is one of a node's keys, under whose name it acts: as others see it,
// without the key.
type Identity struct {
	ID      NodeID `json:"nodeId"`
	Alias   string `json:"alias" flex:",default"` // chosen by its owner, "" for none
	Locked  bool   `json:"isLocked"`              // its key needs a password before it can sign
	Default bool   `json:"isDefault"`             // acts where no other is named
	Deleted bool   `json:"deleted" flex:",default"`
}

// MarshalJSON writes upstream's form, in which no alias is null.
func (i Identity) MarshalJSON() ([]byte, error) {
	type plain Identity
	v := struct {
		plain
		Alias *string `json:"alias"`
	}{plain: plain(i)}
	if i.Alias != "" {
		v.Alias = &i.Alias
	}
	return marshal(v)
}

// NewIdentity says what identity a node shall have in addition. Without a key to
// import a fresh one is generated.
type NewIdentity struct {
	Alias      string `json:"alias,omitempty"`
	Password   Secret `json:"password,omitempty"`   // locks the key; opens Keyfile
	Keyfile    string `json:"keyfile,omitempty"`    // Ethereum keystore v3 JSON to import
	PrivateKey Secret `json:"privateKey,omitempty"` // 64 hex digits to import
}

// IdentityChange says what shall change about an identity.
type IdentityChange struct {
	Alias   *string `json:"alias,omitempty"` // nil keeps it, "" removes it
	Default bool    `json:"isDefault,omitempty"`
}
