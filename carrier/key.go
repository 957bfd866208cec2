package carrier

// annotation is the prefix that RabbitMQ 4 adds to the name of an AMQP 1.0 message
// annotation for an AMQP 0-9-1 consumer.
const annotation = "x-opt-"

func isAnnotation(key, field string) bool {
	return len(key) >= len(annotation) &&
		equalFold(key[:len(annotation)], annotation) && equalFold(key[len(annotation):], field)
}

// equalFold reports whether a and b are equal but for the case of ASCII letters.
// [strings.EqualFold] would also take the Kelvin sign for a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// lowerASCII works on bytes: a key need not be valid UTF-8.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// removeFolded removes the keys that equal key but for letter case.
func removeFolded[V any](m map[string]V, key string) {
	for k := range m {
		if k != key && equalFold(k, key) {
			delete(m, k)
		}
	}
}
