package amqpbroker

import "strings"

// topicWords splits a key. The empty key has no words.
func topicWords(key string) []string {
	if key == "" {
		return nil
	}
	return strings.Split(key, ".")
}

// topicMatch reports whether a binding key matches a routing key, both split into
// words: * stands for one word, # for any number of them (AMQP 0-9-1 section
// 3.1.3.3). It takes time in proportion to the product of the lengths at worst.
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
		case hash >= 0: // let the # take one word more
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
