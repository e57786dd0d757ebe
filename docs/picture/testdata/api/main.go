// Command api is a small service that is busy with JSON, for the picture of top: it
// reads an order and writes the answer, a few thousand times a second.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// order is what a request has.
type order struct {
	ID    int               `json:"id"`
	User  string            `json:"user"`
	Items []item            `json:"items"`
	Notes map[string]string `json:"notes"`
}

type item struct {
	Name  string  `json:"name"`
	Price float64 `json:"price"`
}

func main() {
	requests := time.NewTicker(time.Millisecond)
	for id := 0; ; <-requests.C {
		for range 4 {
			if err := handle(id); err != nil {
				fmt.Fprintln(os.Stderr, "api:", err)
				os.Exit(1)
			}
			id++
		}
	}
}

// handle is one request.
func handle(id int) error {
	body := fmt.Sprintf(`{"id":%d,"user":"alice","items":[{"name":"espresso","price":2.4},{"name":"bagel","price":3.1}],"notes":{"milk":"oat"}}`, id)
	var o order
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		return err
	}
	_, err := json.Marshal(o)
	return err
}
