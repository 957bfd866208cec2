package main

import (
	"testing"

	"github.com/mqtrace/mqtrace/examples/internal/showcase/showtest"
)

func TestMain(m *testing.M) { showtest.Main(m, main) }

func TestExample(t *testing.T) {
	showtest.Run(t, example, `
#1 shop: mutation placeOrder [server] tenant=acme
  #2 shop: HTTP GET [client] tenant=acme
  #3 shop: publish orders [producer] outcome=acked message=o-1 tenant=acme
    #4 billing: process billing [consumer] attempt=1 settled=ack message=o-1 tenant=acme ->#3

#5 shop: query __schema [server] tenant=acme
`)
}
