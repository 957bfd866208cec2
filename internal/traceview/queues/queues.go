// Package queues says what traces tell of the queues that their messages went through:
// who publishes and who consumes, how many, how long they wait, what waits now.
package queues

import "time"

// Minutes is of how many minutes a queue's messages are counted.
const Minutes = 15

// Queue is what is known of one.
type Queue struct {
	Name string `json:"name"`
	// Exchange: messages went to this exchange, and no span says to which queue.
	Exchange   bool     `json:"exchange,omitempty"`
	System     string   `json:"system,omitempty"`
	Publishers []string `json:"publishers"`
	Consumers  []string `json:"consumers"`

	// PerMinute counts the messages processed in the last minutes, and Last has them by
	// minute, the latest behind.
	PerMinute float64      `json:"perMinute"`
	Last      [Minutes]int `json:"last"`
	Published int          `json:"published"`
	Processed int          `json:"processed"`

	// Waiting is how many messages nothing has consumed, the first since WaitingSince.
	Waiting      int        `json:"waiting"`
	WaitingSince *time.Time `json:"waitingSince,omitempty"`
	// Scheduled is how many messages are not due yet, the next of them at NextDue.
	Scheduled int        `json:"scheduled,omitempty"`
	NextDue   *time.Time `json:"nextDue,omitempty"`
	// Tenants are those of the messages that wait, Traces some of their traces.
	Tenants []string `json:"tenants"`
	Traces  []string `json:"traces"`

	// Times are in nanoseconds; waits are those of messages that were processed.
	WaitP50       time.Duration `json:"waitP50"`
	WaitP95       time.Duration `json:"waitP95"`
	WaitLongest   time.Duration `json:"waitLongest"`
	ProcessingP50 time.Duration `json:"processingP50"`
	ProcessingP95 time.Duration `json:"processingP95"`

	Failures    int `json:"failures"`
	Retries     int `json:"retries"`
	DeadLetters int `json:"deadLetters"`
}

// Edge is a line of the map: from a service to a queue, or from a queue to a service.
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
	// At is when the traces were looked at; where all of them are of a day ago or older, the
	// end of the last of them.
	At     time.Time `json:"at"`
	Queues []Queue   `json:"queues"`
	Edges  []Edge    `json:"edges"`
}
