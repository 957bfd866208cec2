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
	// hosts decides which names and addresses the server is asked for under; nil
	// leaves that to whoever serves the handler.
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
		refuse(w, r, "this server does not answer to the name in the request's Host header")
	case isCrossOrigin(r) && !opensPage(r):
		refuse(w, r, "pages of other origins can neither read traces nor send any")
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

// isCrossOrigin reports whether a browser sent the request on behalf of a page
// that is not ours. Exporters send neither header.
func isCrossOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		return true
	}

	origin := r.Header.Get("Origin")

	return origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host
}

// opensPage reports whether somebody follows a link to the page, which alone
// reveals nothing. It cannot be put into a frame.
func opensPage(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Path == "/" && r.Header.Get("Origin") == "" &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

// hostOf is the host of a Host header in lower case, without port or brackets.
func hostOf(hostPort string) string {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}

	return strings.ToLower(strings.Trim(strings.TrimSuffix(host, "."), "[]"))
}

// allowedHosts returns the names under which a server that listens at listening,
// and was told to listen on the host configured, may be asked. Any other name
// may be one that a web page has rebound to this address.
func allowedHosts(configured string, listening netip.Addr) func(string) bool {
	configured = hostOf(configured)

	return func(host string) bool {
		if host == "localhost" || strings.HasSuffix(host, ".localhost") || host == configured {
			return true
		}

		ip, err := netip.ParseAddr(host)

		// An address is nothing that could be rebound. On loopback no other than
		// those of loopback has any business here.
		return err == nil && (ip.Unmap().IsLoopback() || !listening.IsLoopback())
	}
}
