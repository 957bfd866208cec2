package traceview

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/mqtrace/mqtrace/internal/traceview/page"
	"github.com/mqtrace/mqtrace/internal/traceview/receiver"
)

// contentPolicy restricts the page to resources of this origin: no inline script or style,
// and no text that becomes HTML.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// guard wraps every handler: it refuses requests that a browser sends for a page of another
// origin.
type guard struct {
	next http.Handler
	// hosts reports whether the server may be addressed by a name or address; nil leaves
	// that check to the server of the handler.
	hosts func(host string) bool
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")

	switch {
	case g.hosts != nil && !g.hosts(hostOf(r.Host)):
		refuse(w, r, "the request's Host header does not name this server")
	case isCrossOrigin(r) && !opensPage(r):
		refuse(w, r, "pages of other origins may neither read nor send traces")
	default:
		g.next.ServeHTTP(w, r)
	}
}

// refuse answers an exporter in its own encoding.
func refuse(w http.ResponseWriter, r *http.Request, message string) {
	if isTracesPath(r.URL.Path) {
		receiver.Refuse(w, r, message)

		return
	}

	page.WriteError(w, http.StatusForbidden, message)
}

// isCrossOrigin reports whether a browser sent the request on behalf of a page of another
// origin. Exporters send neither header.
func isCrossOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}

	origin := r.Header.Get("Origin")

	return origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host
}

// opensPage reports whether the request follows a link to the page, which by itself reveals
// nothing and cannot be framed.
func opensPage(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path == "/" && r.Header.Get("Origin") == "" &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// hostOf returns the host of a Host header in lower case, without port or brackets.
func hostOf(hostPort string) string {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}

	return strings.ToLower(strings.Trim(strings.TrimSuffix(host, "."), "[]"))
}

// allowedHosts returns a function that reports whether a server may be addressed by a host,
// given the host it was configured with and the address it listens on. Any other name may
// be one that a web page has rebound to this address.
func allowedHosts(configured string, listening netip.Addr) func(string) bool {
	configured = hostOf(configured)

	return func(host string) bool {
		if host == "localhost" || strings.HasSuffix(host, ".localhost") || host == configured {
			return true
		}

		ip, err := netip.ParseAddr(host)

		// An IP address cannot be rebound. On loopback, only loopback addresses are
		// legitimate.
		return err == nil && (ip.Unmap().IsLoopback() || !listening.IsLoopback())
	}
}
