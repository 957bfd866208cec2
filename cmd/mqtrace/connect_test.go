package main

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// A command that waits for a server that accepts connections and says nothing ends when it
// is interrupted, and not only when its time is up.
func TestInterruptedWhileConnecting(t *testing.T) {
	for name, command := range map[string]func(addr string) []string{
		"amqp":  func(addr string) []string { return []string{"peek", "amqp", "-amqp", "amqp://" + addr, "orders"} },
		"amqps": func(addr string) []string { return []string{"send", "amqp", "-amqp", "amqps://" + addr, "-key", "k"} },
		"redis": func(addr string) []string { return []string{"peek", "asynq", "-redis", addr, "emails"} },
		"rediss": func(addr string) []string {
			return []string{"send", "asynq", "-redis", "rediss://" + addr, "email:welcome"}
		},
		"queues": func(addr string) []string { return []string{"queues", "-redis", addr, writeFile(t, "{}")} },
		"probe": func(addr string) []string {
			return []string{"probe", "amqp", "-amqp", "amqp://" + addr, "-queue", "orders"}
		},
		"the tap":  func(addr string) []string { return []string{"tap", "-amqp", "amqp://" + addr} },
		"refusing": func(string) []string { return []string{"peek", "amqp", "-amqp", "amqp://127.0.0.1:1", "orders"} },
	} {
		t.Run(name, func(t *testing.T) {
			server, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			if name == "refusing" {
				interrupt() // before it connects
			}
			go func() {
				conn, err := server.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1)) // the client has begun to speak
				interrupt()
				<-t.Context().Done()
			}()
			var stdout, stderr strings.Builder
			began := time.Now()
			code := run(ctx, append([]string{"mqtrace"}, command(server.Addr().String())...), &stdout, &stderr)
			if code != exitFailed || stderr.String() != "mqtrace: interrupted\n" {
				t.Errorf("exit code %d, %s", code, stderr.String())
			}
			if time.Since(began) >= dialTimeout {
				t.Error("it waited until its time was up")
			}
		})
	}
}
