package rest

// Services are what the API gives access to. A nil one is not offered: its
// operations answer 501.
type Services struct {
}

// served is the table of operations this node serves.
func (s *Server) served() []route {
	return nil
}
