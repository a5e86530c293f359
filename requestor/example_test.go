package requestor_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/golem-go/golem"
	"github.com/golem-go/golem/requestor"
)

// Example runs one program on somebody's machine. It needs a node, such as those
// of golem devnet, which prints what to set YAGNA_API_URL and YAGNA_APPKEY to.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := requestor.Connect(ctx, requestor.Config{
		URL:    os.Getenv("YAGNA_API_URL"),
		AppKey: golem.Secret(os.Getenv("YAGNA_APPKEY")),
		Budget: golem.Tokens(1),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close() // gives back what was not spent, after an interrupt too

	rental, err := r.Rent(ctx, requestor.Order{
		Image:   requestor.File("hello.wasm"),
		Timeout: 10 * time.Minute,
	})
	if err != nil {
		log.Print(err)
		return
	}
	err = rental.Run(ctx, requestor.Process{
		Args:    []string{"/in/name.txt", "/out/greeting.txt"},
		Inputs:  map[string]requestor.Source{"/in/name.txt": requestor.Bytes([]byte("golem"))},
		Outputs: map[string]string{"/out/greeting.txt": "greeting.txt"},
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
	})
	if exit, ok := errors.AsType[*requestor.ExitError](err); ok {
		log.Printf("the program has failed with code %d", exit.Code)
	} else if err != nil {
		log.Print(err)
	}
	bill, err := rental.Close(ctx)
	if err != nil {
		log.Print(err)
	}
	fmt.Printf("%s has worked for %.1f s and gets %s\n", bill.Name, bill.Usage[golem.UsageDuration], bill.Cost)
}

// ExampleEach renders the frames of a film on four machines. A frame that comes
// back empty is bought elsewhere.
func ExampleEach() {
	ctx := context.Background()
	r, err := requestor.Connect(ctx, requestor.Config{
		AppKey: golem.Secret(os.Getenv("YAGNA_APPKEY")),
		Budget: golem.Tokens(5),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	order := requestor.Order{
		Image:     requestor.File("render.wasm"),
		MinMemory: 2,
		MaxPrice:  golem.Tokens(1), // of each rental
		Timeout:   time.Hour,
	}
	frames := []string{"0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"}
	render := func(ctx context.Context, rental *requestor.Rental, frame string) error {
		picture := filepath.Join("film", frame+".png")
		err := rental.Run(ctx, requestor.Process{
			Args:    []string{"--frame", frame, "/out/frame.png"},
			Outputs: map[string]string{"/out/frame.png": picture},
		})
		if err != nil {
			return err
		}
		if file, err := os.Stat(picture); err != nil {
			return err
		} else if file.Size() == 0 {
			return requestor.Elsewhere(fmt.Errorf("frame %s is empty", frame))
		}
		return nil
	}
	bills, err := requestor.Each(ctx, r, order, frames, 4, render)
	for _, bill := range bills {
		fmt.Printf("%s: %s\n", bill.Name, bill.Cost)
	}
	if err != nil {
		log.Print(err)
	}
}

// ExampleRequestor_Survey prints what there is on the market, and buys nothing.
func ExampleRequestor_Survey() {
	ctx := context.Background()
	r, err := requestor.Connect(ctx, requestor.Config{AppKey: golem.Secret(os.Getenv("YAGNA_APPKEY"))})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	found, err := r.Survey(ctx, requestor.Order{Image: requestor.File("hello.wasm")})
	if err != nil {
		log.Print(err)
		return
	}
	for _, c := range found {
		if c.Reason != "" {
			fmt.Printf("%s would not be asked: %s\n", c.Name, c.Reason)
			continue
		}
		fmt.Printf("%s: %d threads, %.1f GiB, at most %s\n", c.Name, c.Threads, c.Memory, c.Estimate)
	}
}
