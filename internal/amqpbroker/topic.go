package amqpbroker

import "strings"

// topicWords splits a key into words. The empty key has none.
func topicWords(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// topicMatch reports whether a binding key matches a routing key, both split into words: *
// stands for one word, # for any number of them (AMQP 0-9-1 section 3.1.3.3). At worst, it
// takes time proportional to the product of their lengths.
func topicMatch(pattern, words []string) bool {
	p, w := 0, 0
	hash, resume := -1, 0 // the last # seen, and where its match ends for now
	for w < len(words) {
		switch {
		case p < len(pattern) && pattern[p] == "#":
			hash, resume = p, w
			p++
		case p < len(pattern) && (pattern[p] == "*" || pattern[p] == words[w]):
			p++
			w++
		case hash >= 0: // let the # take one more word
			resume++
			p, w = hash+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "#" {
		p++
	}
	return p == len(pattern)
}
