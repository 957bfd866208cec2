package main

import (
	"testing"

	"github.com/mqtrace/mqtrace/examples/internal/showcase/showtest"
)

func TestMain(m *testing.M) { showtest.Main(m, main) }

func TestExample(t *testing.T) {
	showtest.Run(t, example, `
#1 site: upload album [internal]
  #2 site: publish amq.default [producer] message=photo-1
    #3 thumbnails: process photos [consumer] attempt=1 settled=ack message=photo-1 ->#2
  #4 site: publish amq.default [producer] message=photo-2
    #5 thumbnails: process photos [consumer] attempt=1 settled=ack message=photo-2 ->#4
  #6 site: publish amq.default [producer] message=photo-3
    #7 thumbnails: process photos [consumer] attempt=1 settled=ack message=photo-3 ->#6
  #8 site: publish amq.default [producer] message=photo-4
    #9 thumbnails: process photos [consumer] attempt=1 settled=reject message=photo-4 error=*errors.errorString ->#8
  #10 site: publish amq.default [producer] message=photo-5
    #11 thumbnails: process photos [consumer] attempt=1 settled=ack message=photo-5 ->#10
  #12 site: publish amq.default [producer] message=photo-6
    #13 thumbnails: process photos [consumer] attempt=1 settled=ack message=photo-6 ->#12
`)
}
