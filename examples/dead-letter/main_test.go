package main

import (
	"testing"

	"github.com/mqtrace/mqtrace/examples/internal/showcase/showtest"
)

func TestMain(m *testing.M) { showtest.Main(m, main) }

func TestExample(t *testing.T) {
	showtest.Run(t, example, `
#1 shop: ship to Kyoto [internal]
  #2 shop: publish amq.default [producer] outcome=acked
    #3 worker: process parcels [consumer] attempt=1 settled=nack error=*errors.errorString ->#2
    #4 worker: process parcels [consumer] attempt=2 settled=nack deaths=[1, 1] error=*errors.errorString ->#2
    #5 worker: process parcels [consumer] attempt=3 settled=ack deaths=[2, 2] ->#2

#6 shop: ship to nowhere [internal]
  #7 shop: publish amq.default [producer] outcome=acked
    #8 worker: process parcels [consumer] attempt=1 settled=nack error=*errors.errorString ->#7
    #9 worker: process parcels [consumer] attempt=2 settled=nack deaths=[1, 1] error=*errors.errorString ->#7
    #10 worker: process parcels [consumer] attempt=3 settled=ack deaths=[2, 2] error=*errors.errorString ->#7
      #11 worker: publish amq.default [producer] outcome=acked ->#7

#12 shop: ship for Kyoto [internal]
  #13 shop: publish amq.default [producer] outcome=acked
    #14 worker: process labels [consumer] attempt=1 error=*errors.errorString ->#13
      #15 worker: nack labels [client] settled=requeue ->#13 ->#14
    #16 worker: process labels [consumer] attempt=2 error=*errors.errorString ->#13
      #17 worker: nack labels [client] settled=requeue ->#13 ->#16
    #18 worker: process labels [consumer] attempt=3 settled=ack ->#13
`)
}
