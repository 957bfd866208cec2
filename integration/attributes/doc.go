// Package attributes holds the test of docs/attributes.md: what the packages emit, in every
// operation and with every outcome, is what the page lists, and nothing else.
package attributes
