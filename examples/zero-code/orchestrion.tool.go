//go:build tools

// What is woven into the programs of this module, when they are built with orchestrion.
package tools

import (
	_ "github.com/DataDog/orchestrion"
	_ "github.com/mqtrace/mqtrace/auto"
)
