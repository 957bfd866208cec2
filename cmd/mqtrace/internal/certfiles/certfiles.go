// Package certfiles reads the certificates that a URL names in its query, by the parameters
// of amqps:// URLs: https://www.rabbitmq.com/docs/uri-query-parameters.
package certfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// Files are the files of a URL. The zero value stands for none.
type Files struct{ ca, cert, key, name string }

// Cut removes the parameters from a URL, and returns them.
func Cut(u *url.URL) Files {
	query := u.Query()
	cut := func(name string) string {
		defer query.Del(name)
		return query.Get(name)
	}
	found := Files{cut("cacertfile"), cut("certfile"), cut("keyfile"), cut("server_name_indication")}
	if found != (Files{}) {
		u.RawQuery = query.Encode()
	}
	return found
}

// Apply reads the files into config.
func (f Files) Apply(config *tls.Config) error {
	if f.name != "" {
		config.ServerName = f.name
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return fmt.Errorf("cacertfile: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return errors.New("cacertfile: no certificate found")
		}
	}
	if f.cert == "" && f.key == "" {
		return nil
	}
	if f.cert == "" || f.key == "" {
		return errors.New("certfile and keyfile must be given together")
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return fmt.Errorf("certfile and keyfile: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}
