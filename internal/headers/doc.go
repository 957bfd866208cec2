// Package headers writes context into maps of headers and reads it from them, by the
// rules that package carrier documents. The carriers of that package are made of it, and
// consumers, which have room for a [Reader] in what they allocate for a message, use it
// directly.
package headers
