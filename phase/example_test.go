package phase_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"example.test/eddy/internal/mediator"
	"example.test/eddy/phase"
	"example.test/eddy/phase/fence"
	"example.test/eddy/phase/wire"
)

// A server says when it accepts requests, and when it is told to stop it drains
// before it does: nobody who watches its phase meets a closed connection.
func ExampleProducer_ServeAndDrain() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second) // a service uses signal.NotifyContext
	defer stop()
	client, err := phase.Dial(phase.Config{URLs: []string{exampleMediator(ctx, "drain")}, Signers: []phase.Signer{signer("test")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	p, err := client.Producer(ctx, phase.Subject{Contract: "drain", Key: "cart/1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	action := func(*http.Request) string { return "new_request" }
	server := &http.Server{Handler: p.HTTP(action, hello)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	serve, sigterm := context.WithCancel(ctx)
	time.AfterFunc(200*time.Millisecond, sigterm)
	fmt.Println(p.ServeAndDrain(serve, server, l, phase.DrainOptions{}))
	fmt.Println(p.Actual())
	// Output:
	// <nil>
	// cart/1 SHUTDOWN at epoch 3
}

// A leader's writes go through the guard of what it writes to. Once another one
// has been there, the first cannot write any more, whatever it believes.
func ExampleClient_Campaign() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	client, err := phase.Dial(phase.Config{URLs: []string{exampleMediator(ctx, "lease")}, Signers: []phase.Signer{signer("test")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	var ledger fence.Memory // stands before the resource; fence.SQL for a database
	lease, err := client.Campaign(ctx, phase.Subject{Contract: "lease", Key: "shop/cron"}, phase.LeaseOptions{Guard: &ledger})
	if err != nil {
		fmt.Println(err)
		return
	}
	bill := func(_ context.Context, _ fence.Token) error { fmt.Println("billed"); return nil }
	fmt.Println(lease.Do(ctx, bill))

	_ = ledger.Seal(ctx, "shop/cron", lease.Token()+1) // another one leads
	err = lease.Do(ctx, bill)
	fmt.Println(errors.Is(err, fence.ErrStale), lease.Context().Err())
	// Output:
	// billed
	// <nil>
	// true context canceled
}

// A migration goes on when the contract's guard holds, and not before: here, when
// the DDL has been applied.
func ExampleProducer_To() {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	client, err := phase.Dial(phase.Config{URLs: []string{exampleMediator(ctx, "migration")}, Signers: []phase.Signer{signer("test")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	p, err := client.Producer(ctx, phase.Subject{Contract: "migration", Key: "db/orders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = p.To(ctx, "EXPANDED")
	var why *wire.Error
	if errors.As(err, &why) {
		fmt.Println(why.Code)
	}
	alter := func(context.Context) error { fmt.Println("ALTER TABLE orders ADD COLUMN total"); return nil }
	applied := phase.WithFacts(phase.Facts{Request: map[string]bool{"ddl_applied": true}})
	receipt, err := p.To(ctx, "EXPANDED", applied, phase.WithAct(alter))
	fmt.Println(receipt.Epoch, err)
	// Output:
	// guard_false
	// ALTER TABLE orders ADD COLUMN total
	// 1 <nil>
}

// exampleMediator stands for "eddy serve" with a contract of testdata. It ends
// with ctx.
func exampleMediator(ctx context.Context, contract string) string {
	m, err := mediator.New(mediator.Config{State: &mediator.Memory{}})
	if err != nil {
		panic(err)
	}
	go func() { _ = m.Run(ctx) }()
	server := httptest.NewServer(m.Handler(nil))
	context.AfterFunc(ctx, server.CloseClientConnections)
	text, err := os.ReadFile("testdata/" + contract + ".yaml")
	if err != nil {
		panic(err)
	}
	public := signer("test").Key.Public().(ed25519.PublicKey)
	for {
		_, err := m.AddContract(ctx, contract, []byte(strings.ReplaceAll(string(text), "KEY", base64.StdEncoding.EncodeToString(public))), "example")
		if err == nil {
			return server.URL
		}
		if !strings.Contains(err.Error(), "not_active") {
			panic(err)
		}
		<-time.After(time.Millisecond)
	}
}
