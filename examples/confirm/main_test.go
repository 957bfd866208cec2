package main

import (
	"testing"

	"github.com/mqtrace/mqtrace/examples/internal/showcase/showtest"
)

func TestMain(m *testing.M) { showtest.Main(m, main) }

func TestExample(t *testing.T) {
	showtest.Run(t, example, `
#1 shop: take orders [internal]
  #2 shop: import orders [internal]
    #3 shop: publish orders [producer] outcome=acked
    #4 shop: publish orders [producer] outcome=acked
    #5 shop: publish orders [producer] outcome=acked
    #6 shop: publish orders [producer] outcome=acked
  #7 shop: publish orders [producer] outcome=acked
  #8 shop: publish orders [producer] outcome=returned error=NO_ROUTE
  #9 shop: publish orders [producer] outcome=nacked error=nacked
`)
}
