// Command busy is the loaded server of the benchmark: an HTTP server whose every
// request passes through all functions of the package busy/store, which the
// benchmark generates. It says "ok" and its port, and ends with its standard input.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"

	"busy/store"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	http.HandleFunc("/order", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.FormValue("id"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%d\n", store.Serve(store.NewOrder(id)))
	})
	go func() {
		fmt.Println("error", http.Serve(listener, nil))
		os.Exit(1)
	}()
	fmt.Println("ok", listener.Addr().(*net.TCPAddr).Port)
	_, _ = io.Copy(io.Discard, os.Stdin)
}
