package golem

import (
	"log/slog"
	"slices"
	"strings"
	"time"
)

// AppKey lets a program act as an identity of the node over the REST API. It is
// an opaque text sent as a bearer token.
type AppKey struct {
	Name         string    `json:"name"`
	Key          Secret    `json:"key"`
	Role         string    `json:"role"`
	Identity     NodeID    `json:"identity"`
	Created      time.Time `json:"createdDate" flex:",naive"`
	AllowOrigins []string  `json:"allowOrigins" flex:",default"` // of web pages that may use it
}

// LogValue shows the app-key by its name alone.
func (k AppKey) LogValue() slog.Value { return slog.StringValue(k.Name) }

// The roles of app-keys. Upstream knows the first one only.
const (
	RoleManager = "manager" // everything its identity may, and administer the node
	RoleAgent   = "agent"   // everything its identity may
)

// Allows reports whether web pages of origin may use the app-key.
func (k AppKey) Allows(origin string) bool {
	return slices.ContainsFunc(k.AllowOrigins, func(o string) bool { return o == "*" || strings.EqualFold(o, origin) })
}
