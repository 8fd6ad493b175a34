package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRoutes(t *testing.T) {
	server := httptest.NewServer(routes())
	defer server.Close()
	for path, want := range map[string]string{
		"/":        "hello from greeter 1.0.0\n",
		"/healthz": "ok\n",
		"/nowhere": "404 page not found\n",
	} {
		answer, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || string(body) != want {
			t.Errorf("%s: %q (%v), want %q", path, body, err, want)
		}
	}
}
