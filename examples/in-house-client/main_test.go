package main

import (
	"testing"

	"github.com/mqtrace/mqtrace/examples/internal/showcase/showtest"
)

func TestMain(m *testing.M) { showtest.Main(m, main) }

func TestExample(t *testing.T) {
	showtest.Run(t, example, `
#1 warehouse: take stock [internal]
  #2 warehouse: send bus [producer]
    #3 search: process search [consumer] error=*errors.errorString ->#2
    #4 shop-window: process shop-window [consumer] ->#2
`)
}
