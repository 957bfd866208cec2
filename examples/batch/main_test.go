package main

import (
	"testing"

	"github.com/mqtrace/mqtrace/examples/internal/showcase/showtest"
)

func TestMain(m *testing.M) { showtest.Main(m, main) }

func TestExample(t *testing.T) {
	showtest.Run(t, example, `
#1 website: GET / [server]
  #2 website: publish amq.default [producer] message=click-1

#3 website: GET / [server]
  #4 website: publish amq.default [producer] message=click-2

#5 website: GET / [server]
  #6 website: publish amq.default [producer] message=click-3

#7 statistics: process clicks [consumer] attempt=1 settled=ack messages=3 ->#2 message=click-1 ->#4 message=click-2 ->#6 message=click-3
  #8 statistics: insert rows [internal]
`)
}
