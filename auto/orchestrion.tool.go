//go:build tools

package auto

import (
	_ "github.com/DataDog/orchestrion/runtime/context" // contexts of goroutines
)
