package rest

// Upstream is the table of upstream's operations.
var Upstream = upstream

// Missing returns those of upstream's operations that a node with all services
// does not serve.
func Missing(all Services) (patterns []string) {
	s := Server{cfg: Config{Services: all}}
	served := map[string]bool{}
	for _, r := range s.served() {
		served[canonical(r.pattern)] = true
	}
	for _, pattern := range upstream {
		if !served[canonical(pattern)] {
			patterns = append(patterns, pattern)
		}
	}
	return patterns
}
