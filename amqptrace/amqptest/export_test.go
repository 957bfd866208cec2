package amqptest

import "time"

// SetPatience makes waits fail sooner, until the test ends.
func SetPatience(t TB, d time.Duration) {
	before := patience
	patience = d
	t.Cleanup(func() { patience = before })
}
