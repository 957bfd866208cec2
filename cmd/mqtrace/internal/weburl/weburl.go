// Package weburl reads the addresses of HTTP servers, which may contain passwords.
package weburl

import (
	"errors"
	"net/url"
	"strings"
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
