// Package queues derives from traces the state of the queues that their messages went
// through: which services publish and consume, how many messages, how long they wait, and
// what waits now.
package queues

import "time"

// Minutes is the number of minutes for which a queue's messages are counted.
const Minutes = 15

// Queue is what is known about a queue.
type Queue struct {
	Name string `json:"name"`
	// Exchange reports whether this is an exchange: messages went to it, and no span says
	// to which queue.
	Exchange   bool     `json:"exchange,omitempty"`
	System     string   `json:"system,omitempty"`
	Publishers []string `json:"publishers"`
	Consumers  []string `json:"consumers"`

	// PerMinute is the rate of messages processed in the last minutes, and Last has their
	// number by minute, the latest last.
	PerMinute float64      `json:"perMinute"`
	Last      [Minutes]int `json:"last"`
	Published int          `json:"published"`
	Processed int          `json:"processed"`

	// Waiting is the number of messages that nothing has consumed, the first of them since
	// WaitingSince.
	Waiting      int        `json:"waiting"`
	WaitingSince *time.Time `json:"waitingSince,omitempty"`
	// Scheduled is the number of messages that are not due yet; the next is due at NextDue.
	Scheduled int        `json:"scheduled,omitempty"`
	NextDue   *time.Time `json:"nextDue,omitempty"`
	// Tenants are the tenants of the messages that wait, Traces some of their traces.
	Tenants []string `json:"tenants"`
	Traces  []string `json:"traces"`

	// Times are in nanoseconds. Waits are of messages that were processed.
	WaitP50       time.Duration `json:"waitP50"`
	WaitP95       time.Duration `json:"waitP95"`
	WaitLongest   time.Duration `json:"waitLongest"`
	ProcessingP50 time.Duration `json:"processingP50"`
	ProcessingP95 time.Duration `json:"processingP95"`

	Failures    int `json:"failures"`
	Retries     int `json:"retries"`
	DeadLetters int `json:"deadLetters"`
}

// Edge is an edge of the map: from a service to a queue, or from a queue to a service.
type Edge struct {
	Service   string  `json:"service"`
	Queue     string  `json:"queue"`
	Publishes bool    `json:"publishes"`
	Messages  int     `json:"messages"`
	PerMinute float64 `json:"perMinute"`
	Failures  int     `json:"failures"`
}

// Overview has all queues of the traces, by name.
type Overview struct {
	// At is the time of the overview or, if all traces ended long before, the end of the
	// last: a day before or, for FindIn, 15 minutes.
	At     time.Time `json:"at"`
	Queues []Queue   `json:"queues"`
	Edges  []Edge    `json:"edges"`
}
