package router_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/gsb"
	"github.com/golem-go/golem/gsb/router"
)

// A node serves its bus on a socket; another process connects to it, offers a
// service and uses those of others.
func Example() {
	dir, _ := os.MkdirTemp("", "bus")
	defer os.RemoveAll(dir)
	url := "unix:" + filepath.Join(dir, "bus.sock")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	// the node
	bus := gsb.New(gsb.Config{})
	server, err := router.NewServer(router.Config{Session: router.NewLocal(bus)})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener, err := router.Listen(ctx, url)
	if err != nil {
		fmt.Println(err)
		return
	}
	served := make(chan error)
	go func() { served <- server.Serve(ctx, listener) }()

	// the other process
	client, err := router.Dial(ctx, router.ClientConfig{URL: url, Name: "calculator"})
	if err != nil {
		fmt.Println(err)
		return
	}
	double := gsb.Method[int, int]{Service: "/local/calculator", Name: "Double"}
	double.Handle(client, func(_ context.Context, _ gsb.Peer, n int) (int, error) { return 2 * n, nil })

	var nobody golem.NodeID
	fmt.Println(double.Call(ctx, bus, nobody, nobody, 21))
	client.Close()
	cancel()
	fmt.Println(<-served)
	// Output:
	// 42 <nil>
	// <nil>
}
