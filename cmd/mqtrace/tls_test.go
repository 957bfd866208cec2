package main

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// The CA and the name in the server's certificate come with an amqps:// URL, as the help says.
func TestAMQPS(t *testing.T) {
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	queue := newQueue(t, openChannel(t, b.URL()), nil)
	addr, ca := inFrontOf(t, strings.TrimSuffix(b.URL()[strings.Index(b.URL(), "@")+1:], "/"))
	amqps := "amqps://guest:guest@" + addr + "/?cacertfile=" + ca
	ok(t, "peek", "amqp", queue, "-amqp", amqps)
	ok(t, "peek", "amqp", queue, "-amqp", amqps+"&server_name_indication=example.com")
	fails(t, exitFailed, "certificate is valid for", "peek", "amqp", queue, "-amqp", amqps+"&server_name_indication=other.test")
	fails(t, exitFailed, "unknown authority", "peek", "amqp", queue, "-amqp", "amqps://guest:guest@"+addr+"/")
}

// inFrontOf ends TLS in front of a server, and returns where, and the file of its CA.
func inFrontOf(t *testing.T, server string) (addr, ca string) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	ca = writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})))
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go relay(client, server)
		}
	}()
	return l.Addr().String(), ca
}

func relay(client net.Conn, server string) {
	defer client.Close()
	up, err := net.Dial("tcp", server) // ends with its client
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		_, _ = io.Copy(up, client)
		_ = up.Close()
	}()
	_, _ = io.Copy(client, up)
}
