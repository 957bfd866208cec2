// Package weburl reads the addresses of HTTP servers, which may contain passwords.
package weburl

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/certfiles"
)

// ErrNotURL is the error of every address that [Parse] refuses.
var ErrNotURL = errors.New("not an http:// URL")

// Parse reads an http:// or https:// URL. Its error does not quote the address.
//
// An @ after the host is refused: it follows a password that contains an unescaped /, ? or
// #. The URL would be misread, with a part of the password as its path, which errors show.
func Parse(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		return nil, ErrNotURL
	}
	return u, nil
}

// Open reads an address like [Parse]. An https:// URL may name certificates in its query,
// which are not part of the result but of the transport: see package certfiles.
func Open(address string) (*url.URL, *http.Transport, error) {
	u, err := Parse(address)
	if err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	if u.Scheme == "https" {
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if err := certfiles.Cut(u).Apply(transport.TLSClientConfig); err != nil {
			return nil, nil, err
		}
	}
	return u, transport, nil
}
