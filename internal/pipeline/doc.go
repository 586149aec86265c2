// Package pipeline holds the one loop that moves batches from a Reader through compiled Plans to a Writer, and the
// Window that is its only place for backpressure and for the order in which positions leave.
//
//	Read ─▶ Window.Enter ─▶ Apply ─▶ Write ─▶ done ─▶ rejects durable ─▶ Settle ─▶ head? ─▶ Checkpoint ─▶ Ack
//	 reader goroutine   │   feeder goroutine   │ writer's │ rejecter goroutine  │       acker goroutine
//	                    └ blocks when full     └ in order └ never blocks        └ bytes come back here
//
// What it promises:
//
//   - Every row read is, at the end, counted as exactly one of delivered, filtered, rejected or left.
//   - A position leaves once, in the order read, when its batch and all before it are settled. A rejected row is settled
//     when its dead letter is durable.
//   - The rows held are bounded in bytes. A batch dearer than the bound passes alone.
//   - A stop has two phases: what is in flight may finish until a deadline, then the writer's context is cancelled. What
//     was settled by then is acked, the rest is counted as left.
//
// Each stage ends the next one: the end of the input closes the feeder's channel, the feeder closes the Writer (which
// answers every batch), then the rejecter finishes, then the window closes and the acker empties its head. An error
// anywhere only stops the reading; the chain then runs down the same way, bounded by the stop deadline.
package pipeline
