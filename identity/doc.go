// Package identity keeps the keys of a node: its identities, what they sign, and
// the app-keys that let programs act as them.
//
// # The life of an identity
//
// An identity is a secp256k1 key; its NodeID is the Ethereum address of that
// key. The first one is generated when a node starts for the first time and is
// the default, which acts where no other is named. More are generated or
// imported by Create. A key is stored as an Ethereum keystore v3 file, so that
// any wallet can read an export.
//
// A key with an empty password is open from the start of the node. One with a
// password is locked then, until Unlock; Lock closes it again and wipes it from
// memory. Drop retires an identity with its app-keys, but keeps its keystore
// file, since money may be waiting at its address: Export still returns it, and
// importing the key again revives the identity.
//
// # App-keys
//
// An app-key belongs to one identity. Upstream's tools print app-keys again
// later, so the text itself is stored, not a hash: who can read the database can
// act as the node anyway. The key the environment brings is not stored; it is
// gone as soon as the environment does not bring it any more.
//
// # Who calls, whom it calls
//
// The REST API and, on the bus, processes of this machine (/local/identity,
// /local/appkey) administer it; everything that signs holds the Service as a
// golem.Signer. It calls nobody but its Store, and Config.OnChange to tell the
// network under which identities the node shall be reachable.
//
// # Promises
//
// Every change is on the disk before the call returns. Changes happen one at a
// time, in the order in which their callers got hold of the turn. Reading needs
// no database: Sign, AppKey and the rest answer from memory.
//
// It never writes a private key or password to a log, an error or a trace, and
// never sends one anywhere except as the encrypted file of Export.
package identity
