package rest

import (
	"net/http"
	"strings"
)

// corsMaxAge is how many seconds browsers may remember a pre-flight.
const corsMaxAge = "3600"

// cors adds what browsers want to see before they let a web page of another
// origin use the API (spec rest-api.md §1.3), and answers pre-flights. Nothing
// is refused here: without these headers the browser does it.
//
// It is written by hand because the rule depends on the request: a real one is
// judged by the app-key it carries, a pre-flight, which carries none, by all of
// them, and app-keys come and go. A CORS library has one list for all requests.
// Cookies are of no use here, so credentials are never allowed, which is what
// makes any method and any header harmless.
func (s *Server) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if origin == "" {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			s.preflight(w, r, origin)
			return
		}
		if s.allows(r, origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", headerKind+", "+headerHint)
		}
		next.ServeHTTP(w, r)
	})
}

// preflight answers whether any web page of origin may send what it asks for.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request, origin string) {
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method")
	h.Add("Vary", "Access-Control-Request-Headers")
	if s.allowsAlways(origin) || s.cfg.Identity != nil && s.cfg.Identity.AllowsOrigin(origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", r.Header.Get("Access-Control-Request-Method"))
		if names := r.Header.Get("Access-Control-Request-Headers"); names != "" {
			h.Set("Access-Control-Allow-Headers", names)
		}
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
	w.WriteHeader(http.StatusNoContent)
}

// allows reports whether a web page of origin may read the answer to r.
func (s *Server) allows(r *http.Request, origin string) bool {
	if s.allowsAlways(origin) {
		return true
	}
	secret := bearer(r)
	if secret == "" || s.cfg.Keys == nil {
		return false
	}
	key, err := s.cfg.Keys.AppKey(r.Context(), secret)
	return err == nil && key.Allows(origin)
}

// allowsAlways reports whether web pages of origin may use every app-key.
func (s *Server) allowsAlways(origin string) bool {
	for _, o := range s.cfg.AllowOrigins {
		if o == "*" || strings.EqualFold(o, origin) {
			return true
		}
	}
	return false
}

// bearer returns the app-key a request carries, or "".
func bearer(r *http.Request) string {
	if secret, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return secret
	}
	return r.URL.Query().Get("authToken") // browsers cannot set headers on WebSockets
}
