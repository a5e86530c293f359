package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/market"
)

// maxScanned is the most Offers one answer of a scan has.
const maxScanned = 500

// scanRoutes are the operations that browse Offers. A scan is deleted at either
// of two paths, since upstream's server and specification differ.
func (s *Server) scanRoutes() []route {
	const base = marketBase + "/scan"
	return []route{
		{pattern: "POST " + base, handle: s.beginScan},
		{pattern: "GET " + base + "/{id}/events", handle: s.scanned},
		{pattern: "DELETE " + base + "/{id}", handle: s.endScan},
		{pattern: "DELETE " + base + "/{id}/events", handle: s.endScan},
	}
}

func (s *Server) beginScan(c *call) error {
	body, err := decode[struct {
		Type        string   `json:"type"`
		Timeout     *float64 `json:"timeout"`
		Constraints *string  `json:"constraints"`
	}](c)
	if err != nil {
		return err
	}
	constraints := "()"
	if body.Constraints != nil {
		constraints = *body.Constraints
	}
	switch body.Type {
	case "offer":
	case "demand":
		constraints = "(|)" // Demands stay with their nodes: there are none to see
	default:
		return golem.Errorf(golem.ErrInvalid, "type %q: want \"offer\" or \"demand\"", body.Type)
	}
	var idle time.Duration
	if body.Timeout != nil {
		idle = time.Duration(max(1, min(*body.Timeout, maxWait.Seconds())) * float64(time.Second))
	}
	id, err := s.cfg.Market.Scan(c.Context(), c.caller(), constraints, idle)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusCreated, id)
}

func (c *call) scan() market.ScanID { return market.ScanID(c.PathValue("id")) }

func (s *Server) endScan(c *call) error {
	if err := s.cfg.Market.EndScan(c.Context(), c.caller(), c.scan()); err != nil {
		return err
	}
	return noContent(c)
}

// scanned answers with Offers, or with a stream of them to those who accept that.
func (s *Server) scanned(c *call) error {
	if peer := c.URL.Query().Get("peerId"); peer != "" {
		return s.scannedAt(c, peer)
	}
	if accepts(c.Request, "text/event-stream") {
		return s.streamScan(c)
	}
	most, err := c.count("maxEvents", maxScanned, maxScanned)
	if err != nil {
		return err
	}
	ctx, cancel, err := c.poll()
	if err != nil {
		return err
	}
	defer cancel()
	ls, err := s.cfg.Market.Scanned(ctx, c.caller(), c.scan(), most)
	if err != nil {
		return err
	}
	return reply(c.w, http.StatusOK, offersOf(ls))
}

// scannedAt answers with Offers another node knows. What that node does wrong is
// a fault of the gateway.
func (s *Server) scannedAt(c *call, peer string) error {
	node, err := golem.ParseNodeID(peer)
	if err != nil {
		return err
	}
	most, err := c.count("maxEvents", maxScanned, maxScanned)
	if err != nil {
		return err
	}
	ls, err := s.cfg.Market.ScannedAt(c.Context(), c.caller(), c.scan(), node, most)
	switch golem.KindOf(err) {
	case "":
		return reply(c.w, http.StatusOK, offersOf(ls))
	case golem.ErrTimeout, golem.ErrNoAnswer:
		return statusError{http.StatusGatewayTimeout, err}
	case golem.ErrUnavailable, golem.ErrInternal:
		return statusError{http.StatusBadGateway, err}
	}
	return err
}

// streamScan sends Offers as they come to the market, until the client leaves or
// the scan ends.
func (s *Server) streamScan(c *call) error {
	stream := &eventStream{w: c.w}
	for wait := time.Duration(0); c.Context().Err() == nil; wait = pingEvery {
		ctx, cancel := context.WithTimeout(c.Context(), wait)
		ls, err := s.cfg.Market.Scanned(ctx, c.caller(), c.scan(), maxScanned)
		cancel()
		if err != nil && !stream.open {
			return err
		}
		if err != nil {
			return nil
		}
		if err := stream.offers(ls); err != nil {
			return nil // the client is gone
		}
	}
	return nil
}

// offers writes one event for each Offer, or a sign of life.
func (s *eventStream) offers(ls []market.Listing) error {
	if len(ls) == 0 {
		return s.write(":ping\n\n")
	}
	for _, l := range ls {
		data, err := json.Marshal(l.Offer)
		if err != nil {
			return err
		}
		if err := s.write("event: offer\ndata: " + string(data) + "\n\n"); err != nil {
			return err
		}
	}
	return nil
}
