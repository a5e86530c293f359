package identity

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/wire"
)

func file(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/keyfile/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func secretOf(k *Key) string { return hex.EncodeToString(k.secret.Serialize()) }

func TestOpenForeignKeyfiles(t *testing.T) {
	const web3Key = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
	for _, tt := range []struct {
		name     string
		password golem.Secret
		want     string
	}{
		{"geth.json", "correct horse", "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"},
		{"cheap.json", "pw", "b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291"},
		{"web3_scrypt.json", "testpassword", web3Key},
		{"web3_pbkdf2.json", "testpassword", web3Key},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, err := open(file(t, tt.name), tt.password)
			if err != nil {
				t.Fatal(err)
			}
			if got := secretOf(k); got != tt.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestSealAndOpen(t *testing.T) {
	for name, password := range map[string]golem.Secret{"empty": "", "text": "correct horse", "unicode": "pässwörd 🐎"} {
		t.Run(name, func(t *testing.T) {
			k, err := GenerateKey()
			if err != nil {
				t.Fatal(err)
			}
			text, err := seal(k, password)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text, secretOf(k)) {
				t.Error("the file shows the key")
			}
			again, err := open(text, password)
			if err != nil || secretOf(again) != secretOf(k) {
				t.Fatalf("got %v, %v", again, err)
			}
			if _, err := open(text, password+"x"); !errors.Is(err, wire.ErrPassword) {
				t.Errorf("another password: got %v, want ErrPassword", err)
			}
		})
	}
}

// TestOpenShortKey is the key 1, as tools write it that drop leading zeros.
func TestOpenShortKey(t *testing.T) {
	k, err := keyOfBytes([]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	text, err := seal(k, "")
	if err != nil {
		t.Fatal(err)
	}
	f := parse(t, text)
	derived, err := f.Crypto.derive("")
	if err != nil {
		t.Fatal(err)
	}
	iv, err := hex.DecodeString(f.Crypto.CipherParams.IV)
	if err != nil {
		t.Fatal(err)
	}
	short, err := ctr(derived[:16], iv, []byte{1})
	if err != nil {
		t.Fatal(err)
	}
	f.Crypto.CipherText = hex.EncodeToString(short)
	f.Crypto.MAC = hex.EncodeToString(keccak256(derived[16:32], short))
	again, err := open(write(t, f), "")
	if err != nil || again.id != k.id {
		t.Fatalf("got %v, %v", again, err)
	}
}

func parse(t testing.TB, text string) (f keyfile) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t testing.TB, f keyfile) string {
	t.Helper()
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOpenRefuses(t *testing.T) {
	k, err := keyOfBytes([]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	good, err := seal(k, "")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(f *keyfile){
		"version 1":         func(f *keyfile) { f.Version = 1 },
		"another address":   func(f *keyfile) { f.Address = strings.Repeat("ab", 20) },
		"no address at all": func(f *keyfile) { f.Address = "zz" },
		"cipher":            func(f *keyfile) { f.Crypto.Cipher = "rot13" },
		"iv":                func(f *keyfile) { f.Crypto.CipherParams.IV = "00" },
		"no ciphertext":     func(f *keyfile) { f.Crypto.CipherText = "" },
		"long ciphertext":   func(f *keyfile) { f.Crypto.CipherText = strings.Repeat("00", 33) },
		"odd mac":           func(f *keyfile) { f.Crypto.MAC = "0" },
		"odd salt":          func(f *keyfile) { f.Crypto.KDFParams.Salt = "x" },
		"kdf":               func(f *keyfile) { f.Crypto.KDF = "md5" },
		"dklen short":       func(f *keyfile) { f.Crypto.KDFParams.Length = 16 },
		"dklen long":        func(f *keyfile) { f.Crypto.KDFParams.Length = 1 << 30 },
		"n huge":            func(f *keyfile) { f.Crypto.KDFParams.N = 1 << 30 },
		"n no power of two": func(f *keyfile) { f.Crypto.KDFParams.N = 3 },
		"n one":             func(f *keyfile) { f.Crypto.KDFParams.N = 1 },
		"n negative":        func(f *keyfile) { f.Crypto.KDFParams.N = -2 },
		"r huge":            func(f *keyfile) { f.Crypto.KDFParams.R = 1 << 29 },
		"p huge":            func(f *keyfile) { f.Crypto.KDFParams.P = 1 << 22 },
		"memory":            func(f *keyfile) { f.Crypto.KDFParams.N = 1 << 20 },
		"prf":               func(f *keyfile) { f.Crypto.KDF, f.Crypto.KDFParams.C = "pbkdf2", 1 },
		"c huge":            func(f *keyfile) { derivePBKDF2(f, 1<<30) },
		"c zero":            func(f *keyfile) { derivePBKDF2(f, 0) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			f := parse(t, good)
			spoil(&f)
			if k, err := open(write(t, f), ""); !errors.Is(err, golem.ErrInvalid) || errors.Is(err, wire.ErrPassword) {
				t.Errorf("got %v, %v; want ErrInvalid", k, err)
			}
		})
	}
	for name, text := range map[string]string{"empty": "", "no JSON": "hello", "list": "[]", "params of another type": `{"version":3,"crypto":{"kdf":"scrypt","kdfparams":{"salt":1}}}`} {
		if _, err := open(text, ""); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if _, err := open(strings.Repeat(" ", maxKeyfile+1), ""); !errors.Is(err, golem.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
}

func derivePBKDF2(f *keyfile, c int) {
	f.Crypto.KDF, f.Crypto.KDFParams.C, f.Crypto.KDFParams.PRF = "pbkdf2", c, "hmac-sha256"
}

// FuzzOpen opens files of strangers. Those that are merely expensive are left
// out, up to the limits, which TestOpenRefuses checks.
func FuzzOpen(f *testing.F) {
	f.Add(file(f, "geth.json"))
	f.Add(file(f, "web3_pbkdf2.json"))
	f.Add(`{"version":3,"crypto":{"kdf":"scrypt"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		parsed, _, err := parseKeyfile(text)
		if p := parsed.Crypto.KDFParams; err == nil && p.affordable() && int64(p.N)*int64(p.R)*int64(p.P) > 1<<10 || p.C > 1000 {
			return
		}
		if k, err := open(text, ""); err == nil && k.id.IsZero() {
			t.Error("a key without id")
		} else if err != nil && golem.KindOf(err) == golem.ErrInternal {
			t.Errorf("internal error: %v", err)
		}
	})
}
