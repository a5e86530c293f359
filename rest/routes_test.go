package rest_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/activity"
	"github.com/golem-go/golem/identity"
	"github.com/golem-go/golem/market"
	"github.com/golem-go/golem/payment"
	"github.com/golem-go/golem/rest"
)

// request makes a request for a pattern of http.ServeMux.
func request(t *testing.T, pattern string) *http.Request {
	t.Helper()
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = "POST", pattern // any method
	}
	path = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "x")
	return httptest.NewRequestWithContext(t.Context(), method, path, nil)
}

// TestMissingOperations lists the operations of upstream that no node serves so
// far. Each answers 501 with an error of its kind to who has an app-key.
func TestMissingOperations(t *testing.T) {
	missing := rest.Missing(rest.Services{
		Identity: &identity.Service{}, Activity: &activity.Service{}, Market: &market.Service{}, Payment: &payment.Service{},
		Status: func() golem.NodeStatus { return golem.NodeStatus{} },
	})
	golden(t, "missing", strings.Join(missing, "\n")+"\n")
}

// TestUnsupported asks a node without services for all that upstream has.
func TestUnsupported(t *testing.T) {
	server := rest.New(rest.Config{Keys: activityKeys})
	for _, pattern := range rest.Upstream {
		if pattern == "GET /version/get" {
			continue // every node has a version
		}
		r := request(t, pattern)
		w := httptest.NewRecorder()
		want := http.StatusUnauthorized
		if strings.HasPrefix(r.URL.Path, "/metrics-api/") {
			want = http.StatusNotImplemented // upstream asks for no app-key there
		}
		if server.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s without an app-key: %d %s", pattern, w.Code, w.Body)
		}
		r.Header.Set("Authorization", "Bearer requestor")
		w = httptest.NewRecorder()
		server.ServeHTTP(w, r)
		kind, mediaType := w.Header().Get("Golem-Error"), w.Header().Get("Content-Type")
		if w.Code != http.StatusNotImplemented || kind != string(golem.ErrUnsupported) || mediaType != "application/json" || !strings.HasPrefix(w.Body.String(), `{"message":"`) {
			t.Errorf("%s: %d %s %s %s", pattern, w.Code, kind, mediaType, w.Body)
		}
	}
}
