package payment_test

import (
	"context"
	"crypto/sha3"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/payment/local"
	"github.com/golem-go/golem/wire"
)

// TestCanonicalVector is the vector of spec payment.md §7.4.
func TestCanonicalVector(t *testing.T) {
	keys := newKeyring()
	payer := keys.addHex("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	payee, err := golem.ParseNodeID("0x2222222222222222222222222222222222222222")
	if err != nil {
		t.Fatal(err)
	}
	half, _ := golem.ParseAmount("1.5")
	p := golem.Payment{
		ID: "p1", Payer: payer, Payee: payee, PayerAddr: payer.Address(), PayeeAddr: payee.Address(),
		Platform: golem.Platform{Driver: "erc20", Network: "hoodi", Token: "tglm"}, Amount: half,
		Timestamp:  time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC),
		Agreements: []golem.AgreementPayment{{Agreement: "ag1", Amount: half, Allocation: "secret"}},
		Details:    "q6s=",
	}
	text, err := payment.Canonical(&p)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"activityPayments":[],"agreementPayments":[{"agreementId":"ag1","amount":"1.5"}],"amount":"1.5","details":"q6s=","payeeAddr":"0x2222222222222222222222222222222222222222","payeeId":"0x2222222222222222222222222222222222222222","payerAddr":"0x71562b71999873db5b286df957af199ec94617f7","payerId":"0x71562b71999873db5b286df957af199ec94617f7","paymentId":"p1","paymentPlatform":"erc20-hoodi-tglm","timestamp":"2026-01-02T03:04:05.678Z"}`
	if string(text) != want {
		t.Fatalf("canonical form\n%s\nwant\n%s", text, want)
	}
	digest := sha3.Sum256(text)
	if got := hex.EncodeToString(digest[:]); got != "b45df26f445ca259781777ea594b40559b58f7b4e1086c5e745ff4f2c271669c" {
		t.Errorf("digest %s", got)
	}
	sig, err := keys.Sign(t.Context(), payer, digest)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(sig[:]); got != "01c55fc3df313942e9d9ecd590399134bf0ce1694564278cef9e717f0a8cba6e0e2fc560fa45c0dd505dc9d167a8d27b3d4c9a79f690a894bc7696de1cd8cbd44e" {
		t.Errorf("signature %s", got)
	}
	if err := payment.Attested(keys, &p, sig[:], text); err != nil {
		t.Errorf("not attested: %v", err)
	}
}

func TestCanonicalTimes(t *testing.T) {
	for _, test := range []struct {
		nanos int
		want  string
	}{{0, "05Z"}, {120e6, "05.120Z"}, {120e3, "05.000120Z"}, {12, "05.000000012Z"}} {
		p := golem.Payment{ID: "x", Timestamp: time.Date(2026, 1, 2, 3, 4, 5, test.nanos, time.FixedZone("x", 3600))}
		text, err := payment.Canonical(&p)
		if err != nil || !strings.Contains(string(text), `"2026-01-02T02:04:`+test.want+`"`) {
			t.Errorf("%d ns: %s, %v", test.nanos, text, err)
		}
	}
}

// FuzzCanonical signs payments with hostile texts in them: the form is canonical,
// and reading it back gives the payment.
func FuzzCanonical(f *testing.F) {
	f.Add("p1", "ag1", "ac1", "q6s=", uint64(1), int64(1767323045678901234))
	f.Add("\u2028<>&\"\\", "\x00\x1f", "\U0001f600", "é\u0301", uint64(1<<63), int64(0))
	f.Fuzz(func(t *testing.T, id, agreement, activity, details string, amount uint64, nanos int64) {
		p := golem.Payment{
			ID: golem.PaymentID(id), Amount: golem.Units(amount), Details: details, Timestamp: time.Unix(0, nanos).UTC(),
			Platform:   local.Platform,
			Agreements: []golem.AgreementPayment{{Agreement: golem.AgreementID(agreement), Amount: golem.Units(amount)}},
			Activities: []golem.ActivityPayment{{Activity: golem.ActivityID(activity), Amount: golem.Units(amount)}},
		}
		text, err := payment.Canonical(&p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := jcs.Transform(text)
		if err != nil || string(again) != string(text) {
			t.Fatalf("%q is not canonical: %q, %v", text, again, err)
		}
		var back golem.Payment
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		round, err := payment.Canonical(&back)
		if err != nil || string(round) != string(text) {
			t.Fatalf("%q reads back as %q, %v", text, round, err)
		}
	})
}

// FuzzAttested gives a verifier arbitrary bytes: it never panics, and believes
// only what was signed.
func FuzzAttested(f *testing.F) {
	keys := newKeyring()
	payer := keys.add(1)
	p := golem.Payment{ID: "p1", Payer: payer, Platform: local.Platform, Timestamp: time.Unix(0, 0).UTC()}
	text, err := payment.Canonical(&p)
	if err != nil {
		f.Fatal(err)
	}
	sig, err := keys.Sign(f.Context(), payer, sha3.Sum256(text))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sig[:], text)
	f.Add(sig[:], []byte("{}"))
	f.Add([]byte{}, []byte("null"))
	f.Fuzz(func(t *testing.T, s, b []byte) {
		if err := payment.Attested(keys, &p, s, b); err == nil && (string(s) != string(sig[:]) || string(b) != string(text)) {
			t.Fatalf("believes %x over %q", s, b)
		}
	})
}

// paid is a deal whose payment has not reached the Provider yet.
type paid struct {
	*deal
	w   *world
	inv golem.InvoiceID
	p   payment.Payment // as the Requestor has it
}

func newPaid(w *world, t terms) *paid {
	r, p := w.node(2, nil), w.node(2, nil)
	d := w.agree(r, p, 1, t)
	al := d.allocate(tokens(10))
	inv := d.invoice(tokens(4))
	w.wires.unplug(d.pid)
	w.must(d.acceptInvoice(inv, tokens(4), al))
	settle()
	time.Sleep(time.Second)
	ps, err := r.Payments(w.t.Context(), payment.PaymentQuery{Owner: d.rid}, 0)
	w.must(err)
	if len(ps) != 1 || ps[0].Signature == nil {
		w.t.Fatalf("payments of the requestor: %+v", ps)
	}
	w.wires.plug(d.pid, p.end)
	return &paid{d, w, inv, ps[0]}
}

// sign signs a payment as an identity of the world would, and as the wallet it
// is from.
func (pd *paid) sign(p golem.Payment, by golem.NodeID) wire.SignedPayment {
	text, err := payment.Canonical(&p)
	pd.w.must(err)
	sig, err := pd.w.keys.Sign(pd.w.t.Context(), by, sha3.Sum256(text))
	pd.w.must(err)
	m := wire.SignedPayment{Payment: p, Signature: sig[:], SignedBytes: text}
	if p.PayerAddr != p.Payer.Address() {
		wallet, err := pd.w.keys.Sign(pd.w.t.Context(), golem.NodeID(p.PayerAddr), sha3.Sum256(text))
		pd.w.must(err)
		m.Wallet = wallet[:]
	}
	return m
}

// submit sends a payment from an identity of the Requestor's node.
func (pd *paid) submit(from golem.NodeID, m wire.SignedPayment) error {
	_, err := wire.SendPayment.Call(pd.w.t.Context(), pd.requestor.bus, from, pd.pid, m)
	return err
}

// TestPaymentIsVerified tries to get payments booked that did not happen.
func TestPaymentIsVerified(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		pd := newPaid(w, terms{})
		good := pd.p.Payment.Public()
		stranger := pd.requestor.ids[1]
		funded, err := w.book.Fund(t.Context(), w.keys.add(77).Address())
		w.must(err)
		alter := func(f func(*golem.Payment)) golem.Payment {
			p := good.Public()
			f(&p)
			return p
		}
		signed := wire.SignedPayment{Payment: good, Signature: pd.p.Signature, SignedBytes: pd.p.SignedBytes}
		flip := func(b []byte, i int) []byte {
			c := append([]byte(nil), b...)
			c[i] ^= 1
			return c
		}
		proof, err := base64.StdEncoding.DecodeString(good.Details)
		w.must(err)
		grant := append(binary.BigEndian.AppendUint64(nil, funded.Seq), funded.Hash[:]...)
		for _, test := range []struct {
			name string
			from golem.NodeID
			m    wire.SignedPayment
			text string
		}{
			{"signature altered", pd.rid, wire.SignedPayment{Payment: good, Signature: flip(signed.Signature, 20), SignedBytes: signed.SignedBytes}, "Invalid payment signature"},
			{"signature short", pd.rid, wire.SignedPayment{Payment: good, Signature: signed.Signature[:64], SignedBytes: signed.SignedBytes}, "Invalid payment signature"},
			{"signature missing", pd.rid, wire.SignedPayment{Payment: good, SignedBytes: signed.SignedBytes}, "Invalid payment signature"},
			{"signed bytes altered", pd.rid, wire.SignedPayment{Payment: good, Signature: signed.Signature, SignedBytes: flip(signed.SignedBytes, 30)}, "Invalid payment signature"},
			{"signed bytes missing", pd.rid, wire.SignedPayment{Payment: good, Signature: signed.Signature}, "Invalid payment signature"},
			{"amount raised", pd.rid, wire.SignedPayment{Payment: alter(func(p *golem.Payment) { p.Amount = tokens(5) }), Signature: signed.Signature, SignedBytes: signed.SignedBytes}, "it belongs to another payment"},
			{"amount raised and signed", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Amount = tokens(5) }), pd.rid), "Invalid amount: 4 were transferred"},
			{"parts above the amount", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Agreements[0].Amount = tokens(5) }), pd.rid), "its parts add up to 5"},
			{"no amount", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Agreements[0].Amount = golem.Amount{} }), pd.rid), "is zero"},
			{"another payer", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Payer = stranger }), stranger), "Invalid payer ID"},
			{"another payer's money", stranger, pd.sign(alter(func(p *golem.Payment) { p.Payer = stranger }), stranger), "who is no party of it"},
			{"signed by another", pd.rid, pd.sign(good, stranger), "Invalid payment signature"},
			{"another payer address", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.PayerAddr = stranger.Address() }), pd.rid), "Invalid sender"},
			{"another payee address", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.PayeeAddr = pd.provider.ids[1].Address() }), pd.rid), "Invalid recipient"},
			{"another platform", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Platform.Network = "mainnet" }), pd.rid), "is not known to this node"},
			{"not base64", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Details = "!" }), pd.rid), "not base64"},
			{"id that is a path", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.ID = "../me" }), pd.rid), "letters, digits"},
			{"long proof", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Details += strings.Repeat("\n", 20000) }), pd.rid), "at most 16384"},
			{"signed bytes padded", pd.rid, wire.SignedPayment{Payment: good, Signature: signed.Signature, SignedBytes: append(make([]byte, 3<<20), signed.SignedBytes...)}, "at most 2097152"},
			{"no proof", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Details = "" }), pd.rid), "proof of 0 bytes"},
			{"hash altered", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Details = base64.StdEncoding.EncodeToString(flip(proof, 20)) }), pd.rid), "is not the one proven"},
			{"no such entry", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Details = base64.StdEncoding.EncodeToString(flip(proof, 0)) }), pd.rid), "no entry"},
			{"a grant of the faucet", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Details = base64.StdEncoding.EncodeToString(grant) }), pd.rid), "signature of 0 bytes"},
			{"unknown agreement", pd.rid, pd.sign(alter(func(p *golem.Payment) { p.Agreements[0].Agreement = "nope" }), pd.rid), "which has no bill"},
			{"unknown activity", pd.rid, pd.sign(alter(func(p *golem.Payment) {
				p.Agreements = nil
				p.Activities = []golem.ActivityPayment{{Activity: "nope", Amount: tokens(4)}}
			}), pd.rid), "which has no debit note"},
		} {
			err := pd.submit(test.from, test.m)
			if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%s: %v, want %q", test.name, err, test.text)
			}
		}
		if _, p := pd.statuses(payment.Invoice, string(pd.inv)); p == golem.DocumentSettled {
			t.Fatal("the provider believes one of them")
		}
		for range 2 { // the right one, which may come twice
			if err := pd.submit(pd.rid, signed); err != nil {
				t.Fatal(err)
			}
		}
		other := pd.sign(alter(func(p *golem.Payment) { p.Agreements[0].Amount = tokens(3) }), pd.rid)
		if err := pd.submit(pd.rid, other); err == nil || !strings.Contains(err.Error(), "known with other contents") {
			t.Errorf("same id, other contents: %v", err)
		}
		again := pd.sign(alter(func(p *golem.Payment) { p.ID = golem.NewPaymentID() }), pd.rid)
		if err := pd.submit(pd.rid, again); err == nil || !strings.Contains(err.Error(), "used for multiple payments amounting to 8") {
			t.Errorf("the same transfer again: %v", err)
		}
		time.Sleep(time.Minute)
		pd.totals(tokens(4), tokens(4), tokens(4))
		w.audit(pd.requestor, pd.provider)
	})
}

// TestTransferIsUsedOnceByAllIdentities shows one transfer to two identities of a
// node that share a wallet.
func TestTransferIsUsedOnceByAllIdentities(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		wallet := w.keys.add(98).Address().String()
		pd := newPaid(w, terms{payee: wallet})
		e := w.agree(pd.requestor, pd.provider, 1, terms{payee: wallet, pid: pd.provider.ids[1]})
		e.invoice(tokens(4))
		time.Sleep(time.Minute) // the right payment has arrived
		pd.totals(tokens(4), tokens(4), tokens(4))
		p := pd.p.Payment.Public()
		p.ID, p.Payee, p.Agreements[0].Agreement = golem.NewPaymentID(), e.pid, e.id
		m := pd.sign(p, pd.rid)
		_, err := wire.SendPayment.Call(t.Context(), pd.requestor.bus, pd.rid, e.pid, m)
		if err == nil || !strings.Contains(err.Error(), "used for multiple payments amounting to 8") {
			t.Fatalf("got %v", err)
		}
		w.audit(pd.requestor, pd.provider)
	})
}

// TestTransferOfAnotherIsNotClaimed agrees on the address of another Requestor as
// one's own and claims what that one has paid, which all can see.
func TestTransferOfAnotherIsNotClaimed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		pd := newPaid(w, terms{})
		thief := w.node(1, nil)
		e := w.agree(thief, pd.provider, 1, terms{payer: pd.rid.Address().String()})
		inv := e.invoice(tokens(4))
		p := pd.p.Payment.Public()
		p.ID, p.Payer, p.Agreements[0].Agreement = golem.NewPaymentID(), thief.id, e.id
		signed := pd.sign(p, thief.id)
		signed.Wallet = nil
		twice := signed
		twice.Wallet = signed.Signature
		other := signed
		other.Wallet = pd.p.Signature // the owner's, of what it has paid for itself
		for name, m := range map[string]wire.SignedPayment{"without the wallet": signed, "with the payer's": twice, "with another payment's": other} {
			if _, err := wire.SendPayment.Call(t.Context(), thief.bus, thief.id, e.pid, m); !errors.Is(err, golem.ErrInvalid) || !strings.Contains(err.Error(), "which has not signed the payment too") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := wire.SendPaymentV1.Call(t.Context(), thief.bus, thief.id, e.pid, wire.PaymentV1{Payment: p}); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("unsigned: %v", err)
		}
		if _, at := e.statuses(payment.Invoice, string(inv)); at == golem.DocumentSettled {
			t.Error("the thief's invoice is settled")
		}
		time.Sleep(time.Minute)
		pd.both(payment.Invoice, string(pd.inv), golem.DocumentSettled)
		w.audit(pd.requestor, pd.provider)
	})
}

// TestPaidFromAnotherWallet pays from the address of another identity of the node.
func TestPaidFromAnotherWallet(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r, p := w.node(2, nil), w.node(1, nil)
		wallet := r.ids[1].Address()
		d := w.agree(r, p, 1, terms{payer: wallet.String()})
		al, err := r.Allocate(t.Context(), r.id, payment.NewAllocation{Platform: local.Platform, Address: wallet, Total: tokens(10)})
		w.must(err)
		inv := d.invoice(tokens(4))
		w.must(d.acceptInvoice(inv, tokens(4), al.ID))
		time.Sleep(time.Minute)
		d.both(payment.Invoice, string(inv), golem.DocumentSettled)
		w.audit(r, p)
	})
}

// counting is a store that counts how often the open documents of an Agreement
// are read.
type counting struct {
	payment.Store
	reads atomic.Int64
}

func (c *counting) Step(ctx context.Context, f func(payment.Reader) (payment.Change, error)) error {
	return c.Store.Step(ctx, func(r payment.Reader) (payment.Change, error) { return f(countingReader{r, c}) })
}

type countingReader struct {
	payment.Reader
	c *counting
}

func (r countingReader) OpenDocumentsOf(k payment.AgreementKey) ([]payment.Document, error) {
	r.c.reads.Add(1)
	return r.Reader.OpenDocumentsOf(k)
}

// TestManyPartsForOneAgreement sends a Payment in as many parts as there may be.
func TestManyPartsForOneAgreement(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		pd := newPaid(w, terms{})
		store := &counting{}
		pd.provider.kill()
		pd.provider.config = func(c *payment.Config) { store.Store, c.Store = c.Store, store }
		pd.provider.start()
		p := pd.p.Payment.Public()
		p.ID, p.Agreements = golem.NewPaymentID(), nil
		for range 5000 {
			p.Agreements = append(p.Agreements, golem.AgreementPayment{Agreement: pd.id, Amount: golem.Units(1)})
		}
		w.must(pd.submit(pd.rid, pd.sign(p, pd.rid)))
		if n := store.reads.Load(); n != 1 {
			t.Errorf("open documents read %d times", n)
		}
		w.audit(pd.provider)
	})
}

func TestUnsignedPayments(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		pd := newPaid(w, terms{})
		old := wire.PaymentV1{Payment: pd.p.Payment.Public(), Signature: []byte{1, 2, 3}}
		bad := old
		bad.Amount = tokens(9)
		if _, err := wire.SendPaymentV1.Call(t.Context(), pd.requestor.bus, pd.rid, pd.pid, bad); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("unsigned lie: %v", err)
		}
		pd.provider.kill()
		pd.provider.config = func(c *payment.Config) { c.RefuseUnsigned = true }
		pd.provider.start()
		if _, err := wire.SendPaymentV1.Call(t.Context(), pd.requestor.bus, pd.rid, pd.pid, old); !errors.Is(err, golem.ErrInvalid) {
			t.Errorf("refused by configuration: %v", err)
		}
		pd.provider.kill()
		pd.provider.config = nil
		pd.provider.start()
		if _, err := wire.SyncPaymentsV1.Call(t.Context(), pd.requestor.bus, pd.rid, pd.pid, wire.PaymentSyncV1{
			Payments:       []wire.PaymentV1{old, bad},
			InvoiceAccepts: []wire.InvoiceAcceptance{{ID: pd.inv, Acceptance: golem.Acceptance{Amount: tokens(4)}, Issuer: pd.pid}},
		}); err == nil {
			t.Error("a sync with a lie in it is acknowledged")
		} else if e, ok := errors.AsType[*wire.SyncError](err); !ok || len(e.Payments) != 1 || len(e.Acceptances) != 0 {
			t.Errorf("sync: %v", err)
		}
		pd.both(payment.Invoice, string(pd.inv), golem.DocumentSettled)
		w.audit(pd.requestor, pd.provider)
	})
}
