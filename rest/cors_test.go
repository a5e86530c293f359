package rest_test

import (
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/rest"
)

const (
	ours   = "https://app.example"
	others = "https://other.example"
)

// TestCORS plays the browser: which origins are told that they may.
func TestCORS(t *testing.T) {
	tests := []struct {
		name   string
		global []string // of the server
		byKey  []string // of an app-key
		send   string   // which app-key a real request carries: "", "page" or "admin"
		origin string
		asks   string // method of a pre-flight, "" for a real request
		want   bool
	}{
		{name: "pre-flight of a key's origin", byKey: []string{ours}, origin: ours, asks: "DELETE", want: true},
		{name: "pre-flight of a stranger", byKey: []string{ours}, origin: others, asks: "DELETE"},
		{name: "pre-flight where no key is for pages", origin: ours, asks: "GET"},
		{name: "pre-flight where any is allowed", byKey: []string{"*"}, origin: others, asks: "GET", want: true},
		{name: "pre-flight of the global list", global: []string{ours}, origin: ours, asks: "POST", want: true},
		{name: "pre-flight of null", byKey: []string{ours}, origin: "null", asks: "GET"},
		{name: "request with the key", byKey: []string{ours}, send: "page", origin: ours, want: true},
		{name: "request with another key", byKey: []string{ours}, send: "admin", origin: ours},
		{name: "request with the key from elsewhere", byKey: []string{ours}, send: "page", origin: others},
		{name: "request without key", byKey: []string{ours}, origin: ours},
		{name: "request of the global list", global: []string{ours}, send: "admin", origin: ours, want: true},
		{name: "request without key of the global list", global: []string{"*"}, origin: ours, want: true},
		{name: "no browser", byKey: []string{"*"}, send: "page"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ids, server := identityNode(t, rest.Config{AllowOrigins: tt.global})
			k, err := ids.CreateAppKey(t.Context(), golem.AppKey{Name: "page", AllowOrigins: tt.byKey})
			if err != nil {
				t.Fatal(err)
			}
			key := map[string]string{"": "", "page": k.Key.Reveal(), "admin": adminKey}[tt.send]
			var header []string
			if tt.origin != "" {
				header = append(header, "Origin", tt.origin)
			}
			method := "GET"
			if tt.asks != "" {
				method = "OPTIONS"
				header = append(header, "Access-Control-Request-Method", tt.asks, "Access-Control-Request-Headers", "authorization,x-app")
			}
			resp, _ := send(t, method, server.URL+"/me", key, "", header...)
			want := ""
			if tt.want {
				want = tt.origin
			}
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("allowed origin %q, want %q", got, want)
			}
			if resp.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed")
			}
			if vary := resp.Header.Get("Vary"); (tt.origin != "") != (vary != "") {
				t.Errorf("Vary is %q", vary)
			}
			if tt.asks == "" {
				return
			}
			if resp.StatusCode != 204 {
				t.Errorf("pre-flight answers %d", resp.StatusCode)
			}
			for name, value := range map[string]string{
				"Access-Control-Allow-Methods": tt.asks,
				"Access-Control-Allow-Headers": "authorization,x-app",
				"Access-Control-Max-Age":       "3600",
			} {
				if !tt.want {
					value = ""
				}
				if got := resp.Header.Get(name); got != value {
					t.Errorf("%s is %q, want %q", name, got, value)
				}
			}
		})
	}
}

// TestOptionsWithoutOrigin is no pre-flight and needs a key like everything.
func TestOptionsWithoutOrigin(t *testing.T) {
	_, server := identityNode(t, rest.Config{})
	if resp, _ := send(t, "OPTIONS", server.URL+"/me", "", ""); resp.StatusCode != 401 {
		t.Errorf("answers %d", resp.StatusCode)
	}
}
