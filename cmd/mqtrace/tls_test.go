package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
	"github.com/mqtrace/mqtrace/internal/traceview"
)

// The CA and the name in the server's certificate come with an amqps:// URL, as the help
// says, and so does a client certificate if the server requires one.
func TestAMQPS(t *testing.T) {
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	queue := newQueue(t, openChannel(t, b.URL()), nil)
	broker := strings.TrimSuffix(b.URL()[strings.Index(b.URL(), "@")+1:], "/")
	p := newPKI(t)
	amqps := func(addr string, query ...string) string {
		return "amqps://guest:guest@" + addr + "/?" + strings.Join(query, "&")
	}
	ca, client := "cacertfile="+p.ca, "certfile="+p.cert+"&keyfile="+p.key

	addr := p.inFrontOf(t, broker, tls.NoClientCert)
	ok(t, "peek", "amqp", queue, "-amqp", amqps(addr, ca))
	ok(t, "peek", "amqp", queue, "-amqp", amqps(addr, ca, "server_name_indication=broker.example"))
	fails(t, exitFailed, "certificate is valid for", "peek", "amqp", queue, "-amqp", amqps(addr, ca, "server_name_indication=other.example"))
	fails(t, exitFailed, "unknown authority", "peek", "amqp", queue, "-amqp", amqps(addr))

	addr = p.inFrontOf(t, broker, tls.RequireAndVerifyClientCert)
	ok(t, "send", "amqp", "-key", queue, "-amqp", amqps(addr, ca, client))
	ok(t, "probe", "amqp", "-queue", newQueue(t, openChannel(t, b.URL()), nil), "-amqp", amqps(addr, ca, client))
	if got := ok(t, "peek", "amqp", queue, "-amqp", amqps(addr, ca, client)); !strings.Contains(got, "1 of 1 message shown") {
		t.Errorf("%s", got)
	}
	stranger := newPKI(t)
	for _, query := range []string{"", "certfile=" + stranger.cert + "&keyfile=" + stranger.key} {
		if r := tool(t, "peek", "amqp", queue, "-amqp", amqps(addr, ca, query)); r.code != exitFailed || !strings.Contains(r.stderr, "connect to RabbitMQ") {
			t.Errorf("%q: exit code %d, %s", query, r.code, r.stderr)
		}
	}
}

// A rediss:// URL takes the same. Without a CA, the system's are used.
func TestRediss(t *testing.T) {
	redis := miniredis.RunT(t).Addr()
	p := newPKI(t)
	ca, client := "cacertfile="+p.ca, "certfile="+p.cert+"&keyfile="+p.key
	rediss := func(addr string, query ...string) string {
		return "rediss://:geheim@" + addr + "/0?" + strings.Join(query, "&")
	}
	plain := p.inFrontOf(t, redis, tls.NoClientCert)
	strict := p.inFrontOf(t, redis, tls.RequireAndVerifyClientCert)
	for _, url := range []string{
		rediss(plain, ca), rediss(plain, ca, "server_name_indication=broker.example"), rediss(strict, ca, client), rediss(strict, ca, client, "dial_timeout=5s"),
	} {
		url = strings.Replace(url, ":geheim@", "", 1)
		ok(t, "send", "asynq", "email:welcome", "-redis", url)
		if got := ok(t, "peek", "asynq", "default", "-redis", url); !strings.Contains(got, "email:welcome") {
			t.Errorf("%s", got)
		}
		ok(t, "queues", writeFile(t, "{}"), "-redis", url)
	}
	for want, url := range map[string]string{
		"unknown authority":          rediss(plain),
		"certificate is valid for":   rediss(plain, ca, "server_name_indication=other.example"),
		"connect to Redis":           rediss(strict, ca),
		"must be given together":     rediss(strict, ca, "certfile="+p.cert),
		"no certificate found":       rediss(strict, "cacertfile="+p.key),
		"no such file":               rediss(strict, "cacertfile="+filepath.Join(t.TempDir(), "none.pem")),
		"private key does not match": rediss(strict, ca, "certfile="+p.cert, "keyfile="+newPKI(t).key),
	} {
		r := tool(t, "peek", "asynq", "default", "-redis", url)
		if r.code != exitFailed || !strings.Contains(r.stderr, want) || strings.Contains(r.stderr, "geheim") {
			t.Errorf("%s: exit code %d, %s", url, r.code, r.stderr)
		}
	}
	fails(t, exitUsage, "valid redis:// URL", "peek", "asynq", "default", "-redis", "redis://"+plain+"/0?"+ca)

	// The system's CAs are read once, so this is a separate process.
	cmd := process(t, "send", "asynq", "email:welcome", "-redis", "rediss://"+plain)
	cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+p.ca)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// Spans go to https:// by OpenTelemetry's variables, and views are read from there too.
func TestOTLPOverTLS(t *testing.T) {
	p := newPKI(t)
	kept := traceview.NewStore(traceview.Limits{})
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	queue := newQueue(t, openChannel(t, b.URL()), nil)
	receivers := make(map[tls.ClientAuthType]string)
	for _, clients := range []tls.ClientAuthType{tls.NoClientCert, tls.RequireAndVerifyClientCert} {
		receiver := httptest.NewUnstartedServer(traceview.NewHandler(kept))
		receiver.TLS = p.server(clients)
		receiver.Config.ErrorLog = log.New(io.Discard, "", 0)
		receiver.StartTLS()
		t.Cleanup(receiver.Close)
		receivers[clients] = receiver.URL
	}
	plain, strict := receivers[tls.NoClientCert], receivers[tls.RequireAndVerifyClientCert]
	send := []string{"send", "amqp", "-key", queue, "-amqp", b.URL()}

	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", plain)
	if r := tool(t, send...); !strings.Contains(r.stderr, "unknown authority") {
		t.Errorf("without the CA: exit code %d, %s", r.code, r.stderr)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", p.ca)
	if r := tool(t, send...); r.code != 0 || r.stderr != "" {
		t.Errorf("with the CA: exit code %d, %s", r.code, r.stderr)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", strict)
	if r := tool(t, send...); !strings.Contains(r.stderr, "certificate required") {
		t.Errorf("without a certificate: exit code %d, %s", r.code, r.stderr)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", p.cert)
	t.Setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", p.key)
	if r := tool(t, send...); r.code != 0 || r.stderr != "" {
		t.Errorf("with a certificate: exit code %d, %s", r.code, r.stderr)
	}
	if n := len(kept.Traces()); n != 2 {
		t.Errorf("%d traces, want 2", n)
	}
	fails(t, exitFailed, "unknown authority", "queues", "-view", plain)
	for _, args := range [][]string{{"trace", plain}, {"queues", plain}} {
		cmd := process(t, args...)
		cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+p.ca)
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("mqtrace")) {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}

// An https:// URL of a view, of Tempo or of the management API takes the same as amqps://.
func TestHTTPS(t *testing.T) {
	p := newPKI(t)
	kept := traceview.NewStore(traceview.Limits{})
	kept.Add(aMinuteAgo(1, 1, "publish orders", trace.SpanKindProducer, "orders"))
	view := traceview.NewHandler(kept)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, _, _ := r.BasicAuth(); {
		case strings.Contains(r.URL.RawQuery, "file="):
			t.Errorf("the server learns %s", r.URL.RawQuery)
		case r.URL.Path == "/api/queues" && user == "guest" && r.URL.RawQuery != "":
			_, _ = io.WriteString(w, `[{"name":"billing","messages":7}]`)
		case strings.HasPrefix(r.URL.EscapedPath(), "/api/queues/%2F/") && user == "guest":
			_, _ = io.WriteString(w, `{"type":"quorum"}`)
		default:
			view.ServeHTTP(w, r)
		}
	}))
	server.TLS = p.server(tls.RequireAndVerifyClientCert)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	ca, client := "cacertfile="+p.ca, "certfile="+p.cert+"&keyfile="+p.key
	at := func(query ...string) string { return server.URL + "/?" + strings.Join(query, "&") }
	asGuest := strings.Replace(at(ca, client), "https://", "https://guest:geheim@", 1)
	id := kept.Traces()[0].ID.String()

	for _, args := range [][]string{
		{"trace", id, "-view", at(ca, client)}, {"trace", at(ca, client) + "#/trace/" + id}, {"trace", id, "-tempo", at(ca, client, "server_name_indication=broker.example")},
		{"queues", "-view", at(ca, client)}, {"queues", at(ca, client), "-management", asGuest},
	} {
		if got := ok(t, args...); !strings.Contains(got, "orders") {
			t.Errorf("%q:\n%s", args, got)
		}
	}
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	queue := strings.Repeat("q", 255) // the declaration does not show its type
	if _, err := openChannel(t, b.URL()).QueueDeclare(queue, false, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	fails(t, exitUsage, "-quorum reads it anyway", "peek", "amqp", queue, "-amqp", b.URL(), "-management", asGuest)
	for want, address := range map[string]string{
		"unknown authority":      at(client),
		"certificate required":   at(ca),
		"must be given together": at(ca, "keyfile="+p.key),
		"other.example":          at(ca, client, "server_name_indication=other.example"),
	} {
		for _, args := range [][]string{{"queues", "-view", address}, {"queues", writeFile(t, "{}"), "-management", address}, {"trace", id, "-tempo", address}} {
			if r := tool(t, args...); r.code == 0 || !strings.Contains(r.stderr, want) {
				t.Errorf("%q: exit code %d, %s, want %s", args, r.code, r.stderr, want)
			}
		}
	}
}

// A pki has the files of a CA, and of a certificate that servers, under the names
// 127.0.0.1 and broker.example, and clients may show.
type pki struct {
	ca, cert, key string

	pool *x509.CertPool
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	sign := func(of, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) []byte {
		of.SerialNumber, of.NotBefore, of.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, of, by, key.Public(), byKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	caKey, key := newKey(), newKey()
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: "mqtrace tests"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	caDER := sign(ca, ca, caKey, caKey)
	der := sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: "broker.example"}, DNSNames: []string{"broker.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, ca, key, caKey)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p := &pki{
		ca: write("ca.pem", "CERTIFICATE", caDER), cert: write("cert.pem", "CERTIFICATE", der), key: write("key.pem", "PRIVATE KEY", keyDER),
		pool: x509.NewCertPool(),
	}
	parsed, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	p.pool.AddCert(parsed)
	return p
}

func (p *pki) server(clients tls.ClientAuthType) *tls.Config {
	pair, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: p.pool, ClientAuth: clients, MinVersion: tls.VersionTLS12}
}

// inFrontOf terminates TLS in front of a server, and returns its address.
func (p *pki) inFrontOf(t *testing.T, server string, clients tls.ClientAuthType) (addr string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", p.server(clients))
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
	return l.Addr().String()
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
