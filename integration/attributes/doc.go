// Package attributes tests docs/attributes.md: what the packages emit, in every operation
// and with every outcome, is exactly what the page lists.
package attributes
