package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

// errKeyfile says that a text is no keystore file we can read.
func errKeyfile(format string, args ...any) error {
	return golem.Errorf(golem.ErrInvalid, "keystore file: "+format, args...)
}

// The cost of opening a key. These are go-ethereum's light parameters, about 40
// ms; an empty password protects nothing, whatever it costs, so its file takes
// the least that scrypt allows and the node starts at once.
const (
	scryptN, scryptP         = 1 << 12, 6
	scryptEmptyN, scryptOneP = 2, 1
	scryptR                  = 8
	derivedLength            = 32
)

// Limits on foreign files: who imports one must not be able to make the node
// compute or allocate for minutes. The usual files of wallets need a quarter.
const (
	maxKeyfile    = 64 << 10
	maxScryptWork = 1 << 23 // N·r·p
	maxScryptSize = 1 << 22 // N·r, in units of 128 bytes
	maxIterations = 10_000_000
)

// keyfile is an Ethereum keystore file, version 3.
type keyfile struct {
	Version int           `json:"version"`
	ID      string        `json:"id"`
	Address string        `json:"address"` // hex without 0x
	Crypto  keyfileCrypto `json:"crypto"`
}

type keyfileCrypto struct {
	Cipher       string        `json:"cipher"`
	CipherParams cipherParams  `json:"cipherparams"`
	CipherText   string        `json:"ciphertext"`
	KDF          string        `json:"kdf"`
	KDFParams    keyfileParams `json:"kdfparams"`
	MAC          string        `json:"mac"`
}

type cipherParams struct {
	IV string `json:"iv"`
}

// keyfileParams are those of scrypt (n, r, p) or of pbkdf2 (c, prf).
type keyfileParams struct {
	N      int    `json:"n,omitempty"`
	R      int    `json:"r,omitempty"`
	P      int    `json:"p,omitempty"`
	C      int    `json:"c,omitempty"`
	PRF    string `json:"prf,omitempty"`
	Length int    `json:"dklen"`
	Salt   string `json:"salt"`
}

// seal returns the keystore file of k.
func seal(k *Key, password golem.Secret) (string, error) {
	var salt [32]byte
	var iv [aes.BlockSize]byte
	rand.Read(salt[:])
	rand.Read(iv[:])
	params := keyfileParams{N: scryptN, R: scryptR, P: scryptP, Length: derivedLength, Salt: hex.EncodeToString(salt[:])}
	if password == "" {
		params.N, params.P = scryptEmptyN, scryptOneP
	}
	c := keyfileCrypto{Cipher: "aes-128-ctr", CipherParams: cipherParams{hex.EncodeToString(iv[:])}, KDF: "scrypt", KDFParams: params}
	derived, err := c.derive(password)
	if err != nil {
		return "", err
	}
	defer clear(derived)
	plain := k.secret.Serialize()
	defer clear(plain)
	text, err := ctr(derived[:16], iv[:], plain)
	if err != nil {
		return "", err
	}
	c.CipherText = hex.EncodeToString(text)
	c.MAC = hex.EncodeToString(keccak256(derived[16:32], text))
	b, err := json.Marshal(keyfile{Version: 3, ID: newUUID(), Address: hex.EncodeToString(k.id[:]), Crypto: c})
	return string(b), err
}

// parseKeyfile checks what can be checked without the password. The id is that
// which the file claims, or zero where it claims none.
func parseKeyfile(text string) (f keyfile, id golem.NodeID, err error) {
	if len(text) > maxKeyfile {
		return f, id, golem.Errorf(golem.ErrTooLarge, "keystore file of %d bytes, at most %d", len(text), maxKeyfile)
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return f, id, errKeyfile("%w", err)
	}
	if f.Version != 3 {
		return f, id, errKeyfile("version %d, want 3", f.Version)
	}
	if f.Address == "" {
		return f, id, nil
	}
	id, err = golem.ParseNodeID("0x" + strings.TrimPrefix(f.Address, "0x"))
	if err != nil {
		return f, id, errKeyfile("address: %w", err)
	}
	return f, id, nil
}

// open returns the key in a keystore file, or wire.ErrPassword.
func open(text string, password golem.Secret) (*Key, error) {
	f, id, err := parseKeyfile(text)
	if err != nil {
		return nil, err
	}
	plain, err := f.Crypto.decrypt(password)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	k, err := keyOfBytes(plain)
	if err != nil {
		return nil, err
	}
	if !id.IsZero() && k.id != id {
		k.Wipe()
		return nil, errKeyfile("it says it is of %s and holds the key of %s", id, k.id)
	}
	return k, nil
}

func (c *keyfileCrypto) decrypt(password golem.Secret) ([]byte, error) {
	if c.Cipher != "aes-128-ctr" {
		return nil, errKeyfile("cipher %.20q, want aes-128-ctr", c.Cipher)
	}
	iv, err := hex.DecodeString(c.CipherParams.IV)
	if err != nil || len(iv) != aes.BlockSize {
		return nil, errKeyfile("iv: want %d bytes in hex", aes.BlockSize)
	}
	text, err := hex.DecodeString(c.CipherText)
	if err != nil || len(text) == 0 || len(text) > 32 {
		return nil, errKeyfile("ciphertext: want 32 bytes in hex")
	}
	mac, err := hex.DecodeString(c.MAC)
	if err != nil {
		return nil, errKeyfile("mac: want 32 bytes in hex")
	}
	derived, err := c.derive(password)
	if err != nil {
		return nil, err
	}
	defer clear(derived)
	if subtle.ConstantTimeCompare(keccak256(derived[16:32], text), mac) != 1 {
		return nil, wire.ErrPassword
	}
	return ctr(derived[:16], iv, text)
}

// derive returns the 32 bytes or more that the password stands for.
func (c *keyfileCrypto) derive(password golem.Secret) ([]byte, error) {
	p := c.KDFParams
	salt, err := hex.DecodeString(p.Salt)
	if err != nil {
		return nil, errKeyfile("salt: want hex")
	}
	if p.Length < derivedLength || p.Length > 64 {
		return nil, errKeyfile("dklen %d: want 32", p.Length)
	}
	switch c.KDF {
	case "scrypt":
		return p.scrypt(password, salt)
	case "pbkdf2":
		return p.pbkdf2(password, salt)
	}
	return nil, errKeyfile("key derivation %.20q, want scrypt or pbkdf2", c.KDF)
}

func (p *keyfileParams) scrypt(password golem.Secret, salt []byte) ([]byte, error) {
	if !p.affordable() {
		return nil, errKeyfile("scrypt with n %d, r %d, p %d is out of range", p.N, p.R, p.P)
	}
	derived, err := scrypt.Key([]byte(password.Reveal()), salt, p.N, p.R, p.P, p.Length)
	if err != nil {
		return nil, errKeyfile("%w", err)
	}
	return derived, nil
}

// affordable reports whether the limits allow the parameters of scrypt.
func (p *keyfileParams) affordable() bool {
	for _, v := range []int{p.N, p.R, p.P} {
		if v < 1 || v > maxScryptSize {
			return false
		}
	}
	size := int64(p.N) * int64(p.R)
	return size <= maxScryptSize && size*int64(p.P) <= maxScryptWork
}

func (p *keyfileParams) pbkdf2(password golem.Secret, salt []byte) ([]byte, error) {
	if p.PRF != "hmac-sha256" || p.C < 1 || p.C > maxIterations {
		return nil, errKeyfile("pbkdf2 with prf %.20q and c %d is out of range", p.PRF, p.C)
	}
	derived, err := pbkdf2.Key(sha256.New, password.Reveal(), salt, p.C, p.Length)
	if err != nil {
		return nil, errKeyfile("%w", err)
	}
	return derived, nil
}

// ctr encrypts or decrypts.
func ctr(key, iv, in []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(in))
	cipher.NewCTR(block, iv).XORKeyStream(out, in)
	return out, nil
}

// newUUID returns a random UUID, which the format wants and nobody reads.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
