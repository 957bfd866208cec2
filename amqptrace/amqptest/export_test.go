package amqptest

import "time"

// SetPatience has what is expected in vain fail sooner, until the test ends.
func SetPatience(t TB, d time.Duration) {
	before := patience
	patience = d
	t.Cleanup(func() { patience = before })
}
