package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// redisTLS holds the certificate parameters of a rediss:// URL, named as in an amqps://
// URL. Redis's own clients have none, and Redis requests a client certificate by default.
type redisTLS struct{ ca, cert, key, name string }

// cutRedisTLS returns the URL without these parameters, which the parser does not know.
func cutRedisTLS(rawURL string) (string, redisTLS) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "rediss" {
		return rawURL, redisTLS{}
	}
	query := u.Query()
	cut := func(name string) string {
		defer query.Del(name)
		return query.Get(name)
	}
	found := redisTLS{cut("cacertfile"), cut("certfile"), cut("keyfile"), cut("server_name_indication")}
	if found == (redisTLS{}) {
		return rawURL, found
	}
	u.RawQuery = query.Encode()
	return u.String(), found
}

// apply adds the certificates to config.
func (r redisTLS) apply(config *tls.Config) error {
	if r.name != "" {
		config.ServerName = r.name
	}
	if r.ca != "" {
		pem, err := os.ReadFile(r.ca)
		if err != nil {
			return fmt.Errorf("cacertfile: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return errors.New("cacertfile: no certificate found")
		}
	}
	if r.cert == "" && r.key == "" {
		return nil
	}
	if r.cert == "" || r.key == "" {
		return errors.New("certfile and keyfile must be given together")
	}
	pair, err := tls.LoadX509KeyPair(r.cert, r.key)
	if err != nil {
		return fmt.Errorf("certfile and keyfile: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}
