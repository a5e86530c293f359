package golem

import "time"

// AppKey lets a program act as an identity of the node over the REST API. It is
// an opaque text sent as a bearer token.
type AppKey struct {
	Name         string    `json:"name"`
	Key          string    `json:"key"`
	Role         string    `json:"role"`
	Identity     NodeID    `json:"identity"`
	Created      time.Time `json:"createdDate"`
	AllowOrigins []string  `json:"allowOrigins"` // of web pages that may use it
}

// RoleManager is the role of an app-key that may do everything its identity may.
const RoleManager = "manager"
