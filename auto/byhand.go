package auto

import (
	"reflect"
	"runtime"
	"strings"
)

// isOf reports whether a value is a function of a package, or of a type that is declared
// there: then the program has called that package itself, and there is nothing left to do.
func isOf(path string, value any) bool {
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return false
	}
	if v.Kind() == reflect.Func {
		if v.IsNil() {
			return false
		}
		f := runtime.FuncForPC(v.Pointer())
		return f != nil && strings.HasPrefix(f.Name(), path)
	}
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()+"." == path
}
