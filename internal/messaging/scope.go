package messaging

// Version is the version of all modules, given with each instrumentation scope.
const Version = "0.1.0-dev"
