package messaging

// ForgetReports lets what a program reports once be reported again, so that a test can run
// twice in one process.
func ForgetReports() {
	noPropagator.Store(false)
	attributesPanic.Store(false)
	filterPanic.Store(false)
	relationPanic.Store(false)
}
