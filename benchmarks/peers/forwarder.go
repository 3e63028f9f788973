// Command forwarder is a bare forwarder on coder/websocket: forwarder [CERTIFICATE KEY]
//
// It tells each connection its id, and forwards {"to": id, …} with "from" in place of "to". It has no limits, no checks
// and no pings: it is a floor, not a product.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/coder/websocket"
)

var clients sync.Map

func forward(id string, data []byte) error {
	var message map[string]json.RawMessage
	if err := json.Unmarshal(data, &message); err != nil {
		return err
	}
	var to string
	if err := json.Unmarshal(message["to"], &to); err != nil {
		return err
	}
	delete(message, "to")
	message["from"], _ = json.Marshal(id)
	found, ok := clients.Load(to)
	if !ok {
		return nil
	}
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	// An error here is the receiver's; its own reader ends with it.
	_ = found.(*websocket.Conn).Write(context.Background(), websocket.MessageText, text)
	return nil
}

func serve(w http.ResponseWriter, r *http.Request) {
	client, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer client.CloseNow()
	id := rand.Text()
	clients.Store(id, client)
	defer clients.Delete(id)
	ctx := context.Background()
	if client.Write(ctx, websocket.MessageText, []byte(fmt.Sprintf(`{"id":%q}`, id))) != nil {
		return
	}
	for {
		_, data, err := client.Read(ctx)
		if err != nil || forward(id, data) != nil {
			return
		}
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: http.HandlerFunc(serve)}
	if len(os.Args) == 3 {
		err = server.ServeTLS(listener, os.Args[1], os.Args[2])
	} else {
		err = server.Serve(listener)
	}
	panic(err)
}
