package messaging

// Version is the version of this module, given with each instrumentation scope.
const Version = "0.1.0-dev"
