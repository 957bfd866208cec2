package main

import (
	"testing"

	"github.com/mqtrace/mqtrace/examples/internal/showcase/showtest"
)

func TestMain(m *testing.M) { showtest.Main(m, main) }

func TestExample(t *testing.T) {
	showtest.Run(t, example, `
#1 shop: POST /orders [server]
  #2 relay: publish orders [producer] outcome=acked
    #3 mailer: process order-emails [consumer] attempt=1 settled=ack tenant=acme ->#2
`)
}
