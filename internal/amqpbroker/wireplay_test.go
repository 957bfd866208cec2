package amqpbroker_test

import (
	"bytes"
	"encoding/hex"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// play is a scenario being played.
type play struct {
	t      *testing.T
	server *url.URL
	conns  map[string]*peer
	names  map[string]string // $name to its value
	last   map[string]string // $gen and so on, the last seen
	sleep  func(time.Duration)
}

func newPlay(t *testing.T, server string) *play {
	t.Helper()
	return &play{t, parse(t, server), map[string]*peer{}, map[string]string{}, map[string]string{}, time.Sleep}
}

// end closes the connections and deletes what the scenario created.
func (p *play) end() {
	for _, c := range p.conns {
		c.sock.Close()
	}
	c := openPeer(p.t, p.server, nil)
	defer c.sock.Close()
	channel := uint16(0)
	remove := func(method, argument, name string) { // one may fail, so each has its own channel
		channel++
		c.method(channel, "channel.open", nil)
		c.next(patience)
		c.method(channel, method, map[string]string{argument: name})
		c.next(patience)
	}
	for _, name := range slices.Sorted(maps.Values(p.names)) {
		remove("queue.delete", "queue", name)
		remove("exchange.delete", "exchange", name)
	}
	c.method(0, "connection.close", nil)
	c.next(patience)
}

func (p *play) conn(name string) *peer {
	c, ok := p.conns[name]
	if !ok {
		c = openPeer(p.t, p.server, nil)
		p.conns[name] = c
	}
	return c
}

var prefix = regexp.MustCompile(`^([AB])?(?:/(\d+))? `)

// do carries out a command.
func (p *play) do(line string) {
	conn, channel := "A", uint16(1)
	if m := prefix.FindStringSubmatch(line); m != nil {
		if m[1] != "" {
			conn = m[1]
		}
		if m[2] != "" {
			n, _ := strconv.Atoi(m[2])
			channel = uint16(n)
		}
		line = line[len(m[0]):]
	}
	words := splitWords(p.expand(line))
	args := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		args[k] = v
	}
	switch words[0] {
	case "sleep":
		ms, _ := strconv.Atoi(words[1])
		p.sleep(time.Duration(ms) * time.Millisecond)
	case "open":
		p.conns[conn] = openPeer(p.t, p.server, args)
	case "raw":
		p.conn(conn).write(unhex(words[1]))
	case "frame":
		kind, _ := strconv.Atoi(words[1])
		payload := ""
		if len(words) > 2 {
			payload = words[2]
		}
		p.conn(conn).frame(byte(kind), channel, unhex(payload))
	case "header":
		p.conn(conn).header(channel, words[1:])
	default:
		p.conn(conn).method(channel, words[0], args)
	}
}

func unhex(s string) []byte {
	if name, n, ok := strings.Cut(s, "*"); ok { // 00*5 is 0000000000
		count, _ := strconv.Atoi(n)
		return bytes.Repeat(unhex(name), count)
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// splitWords splits at spaces, but not inside braces.
func splitWords(line string) []string {
	var words []string
	depth, from := 0, 0
	for i, r := range line + " " {
		switch r {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ' ':
			if depth == 0 {
				if i > from {
					words = append(words, line[from:i])
				}
				from = i + 1
			}
		}
	}
	return words
}

var variable = regexp.MustCompile(`\$[a-z]+\d*`)

func (p *play) expand(line string) string {
	return variable.ReplaceAllStringFunc(line, func(v string) string {
		if s, ok := p.last[v]; ok {
			return s
		}
		if _, ok := p.names[v]; !ok {
			p.names[v] = unique(v[1:])
		}
		return p.names[v]
	})
}

var serverMade = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"$gen", regexp.MustCompile(`amq\.gen-[A-Za-z0-9_-]+`)},
	{"$ctag", regexp.MustCompile(`amq\.ctag-[A-Za-z0-9_-]+`)},
	{"$reply", regexp.MustCompile(`amq\.rabbitmq\.reply-to\.[A-Za-z0-9+/=._@-]+`)},
}

// shorten puts the variables back, and joins everything into one line.
func (p *play) shorten(line string) string {
	for _, made := range serverMade {
		line = made.pattern.ReplaceAllStringFunc(line, func(s string) string {
			p.last[made.name] = s
			return made.name
		})
	}
	for v, s := range p.names {
		line = strings.ReplaceAll(line, s, v)
	}
	return strings.ReplaceAll(line, "\n", `\n`)
}
