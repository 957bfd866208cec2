package main

import (
	"testing"

	"github.com/mqtrace/mqtrace/examples/internal/showcase/showtest"
)

func TestMain(m *testing.M) { showtest.Main(m, main) }

func TestExample(t *testing.T) {
	showtest.Run(t, example, `
#1 shop: POST /orders [server]
  #2 shop: INSERT orders [client]
  #3 shop: publish orders [producer] outcome=acked message=o-1
    #4 billing: process billing [consumer] attempt=1 settled=ack message=o-1 ->#3
`)
}
