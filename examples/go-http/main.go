// greeter answers over HTTP until SIGTERM: `/` greets, `/healthz` says that it is alive.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const version = "1.0.0"

func main() {
	log.SetFlags(0)
	log.SetPrefix("greeter: ")
	if err := serve(":" + port()); err != nil {
		log.Fatal(err)
	}
}

func port() string {
	if port := os.Getenv("PORT"); port != "" {
		return port
	}
	return "8080"
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", greet)
	mux.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(answer, "ok")
	})
	return mux
}

func greet(answer http.ResponseWriter, request *http.Request) {
	if request.URL.Path != "/" {
		http.NotFound(answer, request)
		return
	}
	fmt.Fprintf(answer, "hello from greeter %s\n", version)
}

// serve returns nil after a graceful end: open requests may take five more seconds.
func serve(address string) error {
	server := &http.Server{Addr: address, Handler: routes(), ReadHeaderTimeout: 5 * time.Second}
	stopping, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	log.Printf("version %s listens on %s", version, address)

	select {
	case err := <-ended:
		return err
	case <-stopping.Done():
	}
	log.Print("stopping")
	patience, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(patience); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
