package main

import (
	"testing"

	"github.com/mqtrace/mqtrace/examples/internal/showcase/showtest"
)

func TestMain(m *testing.M) { showtest.Main(m, main) }

func TestExample(t *testing.T) {
	showtest.Run(t, example, `
#1 shop: ask by direct reply-to [internal]
  #2 shop: publish amq.default [producer] conversation=1
    #3 prices: process prices [consumer] attempt=1 settled=ack conversation=1 ->#2
      #4 prices: publish amq.rabbitmq.reply-to.* [producer] conversation=1
        #5 shop: process amq.rabbitmq.reply-to.* [consumer] attempt=1 conversation=1 ->#4

#6 shop: ask by a reply queue [internal]
  #7 shop: publish amq.default [producer] conversation=1
    #8 prices: process prices [consumer] attempt=1 settled=ack conversation=1 ->#7
      #9 prices: publish amq.gen-* [producer] conversation=1
        #10 shop: process amq.gen-* [consumer] attempt=1 conversation=1 ->#9
`)
}
