// Package documents tests the YAML that nothing else in the repository reads: the manifests
// in docs/kubernetes.md, the entries for OpenTelemetry's registry, and the files in
// .github.
package documents
